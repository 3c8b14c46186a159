"""From a file or a table in memory to the arrays a network sees: read, schema, checks, split, encode."""

from glasshouse.data.align import align, append
from glasshouse.data.checks import Finding, check
from glasshouse.data.encode import Encoder, Features, encode, encode_target, fit_encoder
from glasshouse.data.examples import EXAMPLES, example_target
from glasshouse.data.frame import Frame
from glasshouse.data.infer import infer_schema
from glasshouse.data.read import read
from glasshouse.data.schema import Column, Schema, TargetSchema
from glasshouse.data.split import Split, split_rows

__all__ = [
    "EXAMPLES",
    "Column",
    "Encoder",
    "Features",
    "Finding",
    "Frame",
    "Schema",
    "Split",
    "TargetSchema",
    "align",
    "append",
    "check",
    "encode",
    "encode_target",
    "example_target",
    "fit_encoder",
    "infer_schema",
    "read",
    "split_rows",
]
