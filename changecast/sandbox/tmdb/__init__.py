"""TMDB's sandbox: catalogue, edits, routes."""

from changecast.sandbox.provider import ProviderSandbox
from changecast.sandbox.tmdb.api import TmdbApi
from changecast.sandbox.tmdb.edits import EDIT_KINDS
from changecast.sandbox.tmdb.samples import catalogue as first_catalogue

SANDBOX = ProviderSandbox("tmdb", "/tmdb/3", first_catalogue, EDIT_KINDS, TmdbApi)
