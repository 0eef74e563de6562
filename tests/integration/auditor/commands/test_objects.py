"""`telecine-audit objects` against a real S3 server: every stored video and the faults of its object."""

import hashlib
from collections.abc import Callable
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator
from tests.support.audit.command import AuditorCommand
from tests.support.audit.streams import StreamBuilder, november_time
from tests.support.servers.instances import S3Server

from telecine_auditor.json_documents import schema_of
from telecine_contracts.erasure import AccountErased
from telecine_contracts.storage import VideoStored

BODIES = {f"g-{number}": f"video {number}".encode() for number in range(5)}


def object_key(generation: str) -> str:
    return f"videos/ann/video_{generation}.mp4"


def filled_bucket(s3: S3Server) -> str:
    """A new bucket with every video and one other object."""
    name = s3.new_bucket()
    with s3.client() as client:
        for generation, body in BODIES.items():
            client.put_object(Bucket=name, Key=object_key(generation), Body=body)
        client.put_object(Bucket=name, Key="checkpoints/latest.txt", Body=b"a note")
    return name


@pytest.fixture(scope="module")
def bucket(s3: S3Server) -> str:
    """A bucket that no test changes."""
    return filled_bucket(s3)


@pytest.fixture
def audit_of(
    capsys: pytest.CaptureFixture[str], s3: S3Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[[str], AuditorCommand]:
    """The auditor with a mirror of the streams in which all videos were stored in a bucket."""

    def auditor(bucket: str) -> AuditorCommand:
        streams = StreamBuilder()
        for generation, body in BODIES.items():
            streams.say(stored(generation, body, bucket), november_time(1))
        streams.mirror(tmp_path / "mirror")
        for name in ("ENDPOINT", "ACCESS_KEY", "SECRET_KEY", "SECRET_KEY_FILE", "REGION"):
            monkeypatch.delenv(f"TELECINE_S3_{name}", raising=False)
        secret = tmp_path / "secret"
        secret.write_text(f"{s3.secret_key}\n")
        return AuditorCommand(capsys).using(
            "--from", tmp_path / "mirror", "--endpoint", s3.endpoint, "--region", s3.region,
            "--access-key", s3.access_key, "--secret-key-file", secret,
        )  # fmt: skip

    return auditor


@pytest.fixture
def auditor(audit_of: Callable[[str], AuditorCommand], bucket: str) -> AuditorCommand:
    return audit_of(bucket)


def stored(generation: str, body: bytes, bucket: str) -> VideoStored:
    return VideoStored(
        account="ann",
        generation=generation,
        bucket=bucket,
        key=object_key(generation),
        bytes=len(body),
        sha256=hashlib.sha256(body).hexdigest(),
        content_type="video/mp4",
        width=1280,
        height=720,
        duration=5,
    )


async def test_every_object_as_it_was_stored_is_clean(auditor: AuditorCommand) -> None:
    audited = await auditor("objects", "--deep")
    assert (audited.code, audited.err) == (0, "")
    assert audited.out == "5 stored videos, 35 bytes, up to VIDEO#5\nEvery stored video is in the bucket.\n"


async def test_missing_and_different_objects_are_named(
    audit_of: Callable[[str], AuditorCommand], s3: S3Server
) -> None:
    bucket = filled_bucket(s3)
    auditor = audit_of(bucket)
    with s3.client() as client:
        client.delete_object(Bucket=bucket, Key=object_key("g-0"))
        client.put_object(Bucket=bucket, Key=object_key("g-1"), Body=b"")
        client.put_object(Bucket=bucket, Key=object_key("g-2"), Body=b"Video 2")
        client.put_object(Bucket=bucket, Key=object_key("unknown"), Body=b"x")
    quick = await auditor("objects", "--json")
    deep = await auditor("objects", "--json", "--deep")
    assert (quick.code, deep.code) == (1, 1)
    for audited in (quick, deep):
        Draft202012Validator(schema_of("objects", closed=True)).validate(audited.document)
    found = [
        (breach["generation"], breach["kind"], breach["sequence"]) for breach in deep.document["breaches"]
    ]
    missing, empty, other = (
        ("g-0", "object-missing", 1),
        ("g-1", "object-differs", 2),
        ("g-2", "object-differs", 3),
    )
    assert found == [missing, empty, other]
    assert quick.document["count"] == 2
    assert deep.document["unknown_keys"] == [f"{bucket}/{object_key('unknown')}"]
    assert "has 0 bytes, 7 were stored" in deep.document["breaches"][1]["says"]


async def test_videos_of_an_erased_account_are_not_looked_for(
    capsys: pytest.CaptureFixture[str], s3: S3Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bucket = s3.new_bucket()
    with s3.client() as client:
        client.put_object(Bucket=bucket, Key=object_key("late"), Body=b"late")
    streams = StreamBuilder()
    streams.say(stored("g-0", b"gone", bucket), november_time(1))
    streams.say(AccountErased(account="ann", generations=1, ledger_sequence=0), november_time(2))
    streams.say(stored("late", b"late", bucket), november_time(3))
    streams.mirror(tmp_path / "mirror")
    monkeypatch.setenv("TELECINE_S3_SECRET_KEY", s3.secret_key)
    audit = AuditorCommand(capsys).using(
        "--from", tmp_path / "mirror", "--endpoint", s3.endpoint, "--region", s3.region,
        "--access-key", s3.access_key,
    )  # fmt: skip
    audited = await audit("objects", "--deep", "--json")
    Draft202012Validator(schema_of("objects", closed=True)).validate(audited.document)
    assert (audited.code, audited.document["videos"], audited.document["erased"]) == (0, 1, 1)
    assert "1 videos of erased accounts" in (await audit("objects")).out


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["--bucket", "no-such-bucket"], "refused to list bucket no-such-bucket (NoSuchBucket)"),
        (["--endpoint", "http://127.0.0.1:9"], "EndpointConnectionError"),
        (["--access-key", "other"], "refused to list bucket"),
        (["--secret-key-file", "/dev/null"], "--secret-key-file missing"),
    ],
)
async def test_unreachable_store_is_not_a_breach(
    auditor: AuditorCommand, options: list[str], says: str
) -> None:
    last = auditor.using(*auditor.options, *options)
    audited = await last("objects")
    assert audited.code == 2
    assert says in audited.err
    assert audited.out == ""
