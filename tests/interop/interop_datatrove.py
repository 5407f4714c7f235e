"""datatrove's Parquet reader with its defaults: python interop_datatrove.py FOLDER."""

import sys

from datatrove.pipeline.readers import ParquetReader
from interop_parts import tell

documents = list(ParquetReader(f"{sys.argv[1]}/pretrain").run())
tell([{"id": document.id, "text": document.text} for document in documents])
