"""The subscriber in contracts/README.md works as it stands there."""

import re
import sys
from pathlib import Path

from tests.support.eventually import eventually
from tests.support.parts import NatsServer

from telecine_chassis.connection import connect
from telecine_chassis.store_jetstream import JetStreamEventStore
from telecine_cli.process import Command, Process
from telecine_cli.provisioning import provision
from telecine_contracts import registry, subjects
from telecine_contracts.credits import CreditsSettled
from telecine_contracts.examples import envelope, example

README = Path(__file__).parents[2] / "contracts" / "README.md"


async def test_the_subscriber_of_the_readme_prints_what_was_spent(nats: NatsServer, tmp_path: Path) -> None:
    found = re.search(
        r"## A subscriber\n\n```python\n(.*?)```", README.read_text(encoding="utf-8"), re.DOTALL
    )
    assert found
    program = tmp_path / "subscriber.py"
    program.write_text(found[1].replace("nats://127.0.0.1:4222", nats.url), encoding="utf-8")
    settled = example(CreditsSettled)
    connection = await connect(nats.url, "test")
    await provision(connection)
    store = JetStreamEventStore(connection, registry())
    await store.append(settled, envelope(settled), aggregate=subjects.ledger("acme"), expected=0)
    await connection.close()

    process = Process(Command("readme", (sys.executable, str(program)), tmp_path / "readme.log"))
    process.start()
    try:
        said = "acme spent 50 credits on 0b9f6a54-3f0c-5f0e-9d53-0c6d2f4e8a11"
        await eventually(lambda: said in process.log_tail(), within=20, what="the subscriber said nothing")
    finally:
        process.kill()
