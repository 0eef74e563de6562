"""The closed list of error codes covers every part of the service that sends an error."""

import re
from pathlib import Path

from telecine_chassis.http_server.error_responses import ERROR_CODES
from telecine_contracts.commands import Refusal
from telecine_contracts.credits import DenialReason
from telecine_gateway.http.schemas import ErrorCode

README = Path(__file__).parents[4] / "services/gateway/README.md"


def test_list_has_every_code_that_is_sent() -> None:
    sent = {*Refusal, *DenialReason, *ERROR_CODES.values()}
    assert sent <= {code.value for code in ErrorCode}


def test_readme_documents_every_code() -> None:
    _, _, table = README.read_text().partition("| `code` | status | meaning |\n|---|---|---|\n")
    rows = table.partition("\n\n")[0].splitlines()
    documented = {code for row in rows for code in re.findall(r"`(\w+)`", row.split("|")[1])}
    assert documented == {code.value for code in ErrorCode}
