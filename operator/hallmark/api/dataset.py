"""Where a run's rows come from, and how they are written; or the sealed bundle in their place."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

from pydantic import ConfigDict, Field

from hallmark.api.common import ApiModel, Digest, ForeignName
from hallmark.api.rules import cel, rule


class DataFormat(StrEnum):
    """The format of a dataset's bytes."""

    CSV = "CSV"
    PARQUET = "Parquet"
    JSON_LINES = "JSONLines"


class CSVEncoding(StrEnum):
    """The encoding of a CSV file's text."""

    UTF8 = "UTF-8"
    UTF16 = "UTF-16"
    LATIN1 = "Latin1"
    WINDOWS_1252 = "Windows1252"


class CSVDialect(ApiModel):
    """The dialect of a CSV file. The first line is the header."""

    model_config = ConfigDict(
        json_schema_extra=cel(
            rule(
                "self.delimiter != self.quote",
                "'delimiter' and 'quote' must not be the same character.",
                field="quote",
            )
        )
    )

    delimiter: Annotated[
        str, Field(pattern=r"^[\t !#$%&'*,/:;<=>?@^_`|~]$", min_length=1, max_length=1)
    ] = ","
    """What stands between two cells; a tab is written ``"\\t"``."""
    quote: Annotated[str, Field(pattern=r"""^["'`]?$""", max_length=1)] = '"'
    """What stands around a cell that holds a delimiter; empty where quotes are mere text."""
    encoding: CSVEncoding = CSVEncoding.UTF8
    """UTF-8 (with or without a byte-order mark), UTF-16 with its mark, or a one-byte set."""


class ConfigMapSource(ApiModel):
    """A key of a ConfigMap in the run's namespace."""

    name: ForeignName
    """The ConfigMap."""
    key: Annotated[str, Field(pattern=r"^[-._a-zA-Z0-9]+$", max_length=253)]
    """The entry that holds the rows."""


class VolumeClaimSource(ApiModel):
    """A file on a PersistentVolumeClaim in the run's namespace."""

    claim_name: ForeignName
    """The PersistentVolumeClaim; it is mounted read-only."""
    path: Annotated[
        str,
        Field(
            min_length=1,
            max_length=512,
            json_schema_extra=cel(
                rule(
                    "!self.startsWith('/') && !self.split('/').exists(part, part == '..')",
                    "The path must be relative to the volume's root and stay below it.",
                )
            ),
        ),
    ]
    """The file, relative to the volume's root."""


class Dataset(ApiModel):
    """The source of the rows: exactly one of the four."""

    model_config = ConfigDict(
        json_schema_extra=cel(
            rule(
                "[has(self.uri), has(self.volumeClaim), has(self.configMap), has(self.records)]"
                ".filter(given, given).size() == 1",
                "Give exactly one of 'uri', 'volumeClaim', 'configMap' and 'records'.",
                found="(has(self.uri) ? ' uri' : '') + "
                "(has(self.volumeClaim) ? ' volumeClaim' : '') + "
                "(has(self.configMap) ? ' configMap' : '') + "
                "(has(self.records) ? ' records' : '')",
            ),
            rule(
                "!has(self.credentialsSecret) || has(self.uri)",
                "'credentialsSecret' goes with 'uri' alone; leave it out.",
                field="credentialsSecret",
            ),
            rule(
                "!has(self.records) || self.format != 'Parquet'",
                "Inline 'records' are text; set 'format' to CSV or JSONLines.",
                field="format",
            ),
            rule(
                "!has(self.csv) || self.format == 'CSV'",
                "'csv' goes with 'format' CSV alone; leave it out.",
                field="csv",
            ),
        )
    )

    uri: Annotated[str, Field(pattern=r"^(s3|gs|az|https)://.+", max_length=1024)] | None = None
    """A URL that the ModelPolicy allows, such as ``s3://datasets/loans.parquet``."""
    credentials_secret: ForeignName | None = None
    """A Secret with the keys ``access-key-id`` and ``secret-access-key`` for ``uri``."""
    volume_claim: VolumeClaimSource | None = None
    config_map: ConfigMapSource | None = None
    records: Annotated[str, Field(min_length=1, max_length=131072)] | None = None
    """The rows themselves, as text."""
    format: DataFormat = DataFormat.CSV
    """How the bytes are to be read; gzip and zstd are recognised by themselves."""
    csv: CSVDialect | None = None
    """How a CSV file is written, where it is not comma-separated UTF-8."""
    fingerprint: Digest | None = None
    """The fingerprint that the rows must have; another one refuses the run."""


class SealedBundle(ApiModel):
    """A bundle of this model that a signer of the policy sealed elsewhere, to be adopted."""

    uri: Annotated[str, Field(pattern=r"^(s3|gs|az|https)://.+", max_length=1024)]
    """The bundle's folder: where the policy's store has the bundles of the model."""
    manifest_digest: Digest
    """The digest of its ``manifest.json``."""
