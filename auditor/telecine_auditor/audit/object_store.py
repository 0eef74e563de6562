"""Read-only access to objects over S3: listings, sizes and hashes."""

import hashlib
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeVar

from telecine_auditor.errors import CommandError

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

__all__ = ["ObjectStore", "ObjectStoreSettings"]

T = TypeVar("T")
_CHUNK = 1024 * 1024
_CONNECTIONS = 8
_MISSING = ("404", "NoSuchKey")


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectStoreSettings:
    """Endpoint and credentials of the object store; permission to list and read is enough."""

    endpoint: str
    region: str
    access_key: str = field(repr=False)
    secret_key: str = field(repr=False)


class ObjectStore:
    """One object store; calls block, and may come from several threads. Each raises CommandError where it fails."""

    def __init__(self, access: ObjectStoreSettings) -> None:
        self._access = access
        client = self._asked("connect", lambda: _client(access))
        assert client is not None
        self._client = client

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def sizes(self, bucket: str, prefix: str) -> Iterator[tuple[str, int]]:
        """Key and bytes of every object below `prefix`, a thousand a request."""
        pages = self._client.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
        following = iter(pages)
        while page := self._asked(f"list bucket {bucket}", lambda: next(following, None)):
            yield from ((found["Key"], found["Size"]) for found in page.get("Contents", ()))

    def size(self, bucket: str, key: str) -> int | None:
        """Bytes of one object, None if there is none."""
        return self._asked(
            f"look for {key} in bucket {bucket}",
            lambda: self._client.head_object(Bucket=bucket, Key=key)["ContentLength"],
            missing=True,
        )

    def sha256(self, bucket: str, key: str) -> str | None:
        """The hash of one object's bytes, in hex, None if there is none; they are read once and not kept."""

        def digest() -> str:
            found = hashlib.sha256()
            with closing(self._client.get_object(Bucket=bucket, Key=key)["Body"]) as body:
                for chunk in body.iter_chunks(_CHUNK):
                    found.update(chunk)
            return found.hexdigest()

        return self._asked(f"read {key} in bucket {bucket}", digest, missing=True)

    def _asked(self, what: str, ask: Callable[[], T], *, missing: bool = False) -> T | None:
        """The answer, or None where the object is missing and may be. Raises CommandError."""
        try:
            from botocore.exceptions import BotoCoreError, ClientError
        except ImportError:
            raise CommandError(
                "the bucket needs boto3, which is not installed: pip install 'telecine-auditor[s3]'"
            ) from None
        try:
            return ask()
        except ClientError as error:
            code = error.response.get("Error", {}).get("Code", "unknown")
            if missing and code in _MISSING:
                return None
            raise CommandError(
                f"the object store at {self._access.endpoint} refused to {what} ({code}): check "
                "--endpoint, --region and the key, which must be allowed to list and read the bucket"
            ) from error
        except (BotoCoreError, ValueError) as error:  # ValueError: an endpoint that is not a URL
            raise CommandError(
                f"could not {what} at the object store {self._access.endpoint}: {type(error).__name__}"
            ) from error


def _client(access: ObjectStoreSettings) -> "S3Client":
    import boto3.session
    import botocore.session
    from botocore.config import Config

    session = botocore.session.Session()
    for name, (_, _, default, conversion) in list(session.session_var_map.items()):
        # Nothing from ~/.aws and AWS_* variables: a profile of the user must not decide what is audited.
        files = name in ("config_file", "credentials_file")
        session.session_var_map[name] = (None, None, None if files else default, conversion)
    aws = boto3.session.Session(
        aws_access_key_id=access.access_key,
        aws_secret_access_key=access.secret_key,
        region_name=access.region,
        botocore_session=session,
    )
    return aws.client(
        "s3",
        endpoint_url=access.endpoint,
        verify=True,
        config=Config(
            signature_version="s3v4",
            s3={"addressing_style": "path"},
            connect_timeout=10,
            read_timeout=60,
            retries={"mode": "standard", "total_max_attempts": 5},
            request_checksum_calculation="when_required",
            response_checksum_validation="when_required",
            max_pool_connections=_CONNECTIONS,
            proxies={},
        ),
    )
