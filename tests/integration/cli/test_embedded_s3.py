"""S3 servers, for real: what storage and gateway need of them; and the embedded one."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import pytest
from botocore.exceptions import ClientError
from tests.support.servers.instances import S3Server, s3_server
from tests.support.servers.wheel_backend import embedded_s3

from telecine_cli.stack.process import Process
from telecine_cli.stack.s3_server import EmbeddedS3

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

MEBIBYTE = 1024 * 1024
KEY = "videos/acct/video_1.mp4"


@pytest.fixture
def client(s3: S3Server) -> "Iterator[S3Client]":
    with s3.client() as client:
        yield client


def test_an_object_keeps_its_content_type(client: "S3Client", s3_bucket: str) -> None:
    client.put_object(Bucket=s3_bucket, Key=KEY, Body=b"moving pictures", ContentType="video/mp4")
    answer = client.get_object(Bucket=s3_bucket, Key=KEY)
    with answer["Body"] as body:
        assert body.read() == b"moving pictures"
    assert answer["ContentType"] == "video/mp4"
    assert client.head_object(Bucket=s3_bucket, Key=KEY)["ContentLength"] == 15


def test_parts_of_8_mebibytes_become_one_object(client: "S3Client", s3_bucket: str) -> None:
    parts = [bytes([n]) * 8 * MEBIBYTE for n in range(2)] + [b"tail"]
    upload = client.create_multipart_upload(Bucket=s3_bucket, Key=KEY)["UploadId"]
    done = [
        client.upload_part(Bucket=s3_bucket, Key=KEY, UploadId=upload, PartNumber=number, Body=part)
        for number, part in enumerate(parts, start=1)
    ]
    with pytest.raises(ClientError):
        client.head_object(Bucket=s3_bucket, Key=KEY)
    client.complete_multipart_upload(
        Bucket=s3_bucket,
        Key=KEY,
        UploadId=upload,
        MultipartUpload={
            "Parts": [{"PartNumber": n, "ETag": p["ETag"]} for n, p in enumerate(done, start=1)]
        },
    )
    with client.get_object(Bucket=s3_bucket, Key=KEY)["Body"] as body:
        assert body.read() == b"".join(parts)


def test_a_range_returns_its_bytes(client: "S3Client", s3_bucket: str) -> None:
    client.put_object(Bucket=s3_bucket, Key=KEY, Body=bytes(range(256)))
    answer = client.get_object(Bucket=s3_bucket, Key=KEY, Range="bytes=10-19")
    with answer["Body"] as body:
        assert body.read() == bytes(range(10, 20))
    # The status is 200 where S3 says 206: rclone's mistake, hence the gateway makes its own 206.
    assert answer["ContentRange"] == "bytes 10-19/256"


def test_only_a_presigned_url_needs_no_key(s3: S3Server, client: "S3Client", s3_bucket: str) -> None:
    client.put_object(Bucket=s3_bucket, Key=KEY, Body=b"for you")
    url = client.generate_presigned_url("get_object", Params={"Bucket": s3_bucket, "Key": KEY}, ExpiresIn=60)
    assert httpx.get(url, trust_env=False).content == b"for you"
    assert httpx.get(f"{s3.endpoint}/{s3_bucket}/{KEY}", trust_env=False).status_code in {400, 403}


def test_objects_survive_a_kill(tmp_path: Path) -> None:
    with s3_server(tmp_path) as server, server.client() as client:
        bucket = server.new_bucket()
        client.put_object(Bucket=bucket, Key=KEY, Body=b"kept", ContentType="video/mp4")
        server.kill()
        server.start()
        answer = client.get_object(Bucket=bucket, Key=KEY)
        with answer["Body"] as body:
            assert body.read() == b"kept"
        assert answer["ContentType"] == "video/mp4"


# The embedded one


async def test_the_server_is_ready_for_its_own_keys_only(tmp_path: Path) -> None:
    part = embedded_s3(tmp_path)
    process = Process(part.command(tmp_path / "s3.log"))
    process.start()
    try:
        await process.wait_ready(part.ready, 20)
        other = EmbeddedS3(part.folder, part.port, access_key="telecine", secret_key="wrong-wrong-wrong")
        assert not await other.ready()
    finally:
        process.kill()


def test_the_secret_is_on_no_command_line(tmp_path: Path) -> None:
    part = embedded_s3(tmp_path)
    command = part.command(tmp_path / "s3.log")
    assert not [word for word in command.argv if part.secret_key in word]
    assert part.secret_key not in repr(command)
