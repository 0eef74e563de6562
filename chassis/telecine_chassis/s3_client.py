"""S3 clients that ignore the AWS configuration of the machine's user: files, environment variables, profiles.

boto3 is a dependency of the services that have a bucket, not of the chassis.
"""

import gzip
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

__all__ = ["S3Access", "s3_client"]


@dataclass(frozen=True, slots=True, kw_only=True)
class S3Access:
    """Endpoint and credentials of an object store. The region is "auto" on R2; rclone accepts any."""

    endpoint: str
    access_key: str = field(repr=False)
    secret_key: str = field(repr=False)
    region: str = "auto"


def s3_client(access: S3Access, *, sign_bodies: bool = True, **config: Any) -> "S3Client":
    """A new client; `config` as for botocore.config.Config. Loading boto3 takes 0.4 s and 25 MB. Blocks.

    Signatures cover bodies, except over https those that carry a Content-MD5 (botocore's rule). Without `sign_bodies`
    none does, for a caller that compares objects with what it sent by another way.

    By default botocore reads ~/.aws/config, ~/.aws/credentials, ~/.aws/models and some forty AWS_* variables: regions,
    endpoints, retries, checksums, certificates. One line there could change or break every request.
    """
    import boto3.session
    import botocore.session
    from botocore.config import Config
    from botocore.loaders import JSONFileLoader, Loader

    class Models(JSONFileLoader):
        """The models as plain dicts instead of OrderedDicts, and endpoints of S3 alone: 7 MB less."""

        def load_file(self, file_path: str) -> Any:
            plain, packed = Path(f"{file_path}.json"), Path(f"{file_path}.json.gz")
            if plain.is_file():
                model = json.loads(plain.read_bytes())
            elif packed.is_file():
                model = json.loads(gzip.decompress(packed.read_bytes()))
            else:
                return None
            for partition in model.get("partitions", ()):
                if "services" in partition:
                    partition["services"] = {"s3": partition["services"].get("s3", {})}
            return model

    session = botocore.session.Session()
    for name, (_, _, default, conversion) in list(session.session_var_map.items()):
        files = name in ("config_file", "credentials_file")
        # An entry is (name in a file, variable, default, conversion). Without the first two the default remains.
        session.session_var_map[name] = (None, None, None if files else default, conversion)
    models = Loader(
        extra_search_paths=[Loader.BUILTIN_DATA_PATH],
        include_default_search_paths=False,
        file_loader=Models(),
    )
    session.register_component("data_loader", models)
    s3: Any = {"addressing_style": "path"}
    if not sign_bodies:
        s3["payload_signing_enabled"] = False
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
            s3=s3,
            # R2 and rclone do not support the checksum trailers that newer clients send by default.
            request_checksum_calculation="when_required",
            response_checksum_validation="when_required",
            proxies={},
            **config,
        ),
    )
