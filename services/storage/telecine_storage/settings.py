"""Settings of the storage service. Times in seconds, sizes in bytes."""

from pathlib import Path
from typing import Annotated

from pydantic import Field, SecretStr

from telecine_chassis.settings.database import DatabaseSettings, DatabaseUrl


class Settings(DatabaseSettings):
    """The bucket, the allowed sources, and the limits and times of copies."""

    database_url: DatabaseUrl = "sqlite:///data/storage.db"
    s3_endpoint: Annotated[
        str, Field(description="Any S3: for R2, https://<account>.r2.cloudflarestorage.com")
    ]
    s3_region: Annotated[str, Field(description="Region; R2 requires auto")] = "auto"
    s3_bucket: Annotated[str, Field(description="Bucket for videos; it remains private")]
    s3_access_key: Annotated[str, Field(description="Access key id")]
    s3_secret_key: Annotated[SecretStr, Field(description="Secret access key")]
    s3_files: Annotated[
        Path | None,
        Field(
            description="Folder that an S3 server on this machine serves (rclone serve s3 FOLDER): each object is "
            "synced to disk there and compared with what was sent before its video counts as stored. Leave it empty "
            "for a server that syncs by itself, such as R2"
        ),
    ] = None
    result_hosts: Annotated[
        tuple[str, ...], Field(description="Host suffixes that results may come from; empty: any public host")
    ] = (".volces.com", ".bytepluses.com")
    result_allow_private: Annotated[
        bool, Field(description="Sandbox only: also fetch from loopback and private addresses, and over http")
    ] = False
    result_max_bytes: Annotated[int, Field(gt=0, description="Maximum size of a result")] = 2 * 1024**3
    stuck_after: Annotated[
        float,
        Field(
            gt=0,
            description="As for every service; must exceed copy_timeout, because a copy may take that long",
        ),
    ] = 1200
    copy_timeout: Annotated[float, Field(gt=0, description="Timeout of one try")] = 900
    copy_retry_first: Annotated[
        float, Field(gt=0, description="Pause after the first failed try; doubles after each further one")
    ] = 1
    copy_retry_longest: Annotated[float, Field(gt=0, description="Longest pause between tries")] = 300
    copy_source_tries: Annotated[int, Field(ge=1, description="Tries if the source fails")] = 10
    copy_refusal_tries: Annotated[
        int, Field(ge=1, description="Tries if the source refuses or does not send a video")
    ] = 4
    copy_margin: Annotated[
        float, Field(ge=0, description="No try starts later than this before the provider's URL expires")
    ] = 600
    sweep_interval: Annotated[float, Field(gt=0, description="How often lost timers are looked for")] = 60
    object_check_interval: Annotated[
        float,
        Field(
            gt=0,
            description="How often, and at each start, stored objects are looked for (one HEAD request each) while the "
            "provider still has their videos: what is missing or incomplete is copied again",
        ),
    ] = 3600
