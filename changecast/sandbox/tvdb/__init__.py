"""TheTVDB's sandbox: catalogue, edits, routes."""

from changecast.sandbox.provider import ProviderSandbox
from changecast.sandbox.tvdb.api import TvdbApi
from changecast.sandbox.tvdb.edits import EDIT_KINDS
from changecast.sandbox.tvdb.samples import catalogue as first_catalogue

SANDBOX = ProviderSandbox("tvdb", "/tvdb", first_catalogue, EDIT_KINDS, TvdbApi)
