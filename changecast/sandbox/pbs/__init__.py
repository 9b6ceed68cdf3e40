"""PBS Media Manager's sandbox: catalogue, edits, routes."""

from changecast.sandbox.pbs.api import PbsApi
from changecast.sandbox.pbs.edits import EDIT_KINDS
from changecast.sandbox.pbs.samples import catalogue as first_catalogue
from changecast.sandbox.provider import ProviderSandbox

SANDBOX = ProviderSandbox("pbs", "/pbs/api/v1", first_catalogue, EDIT_KINDS, PbsApi)
