"""croissant.json: the release as Croissant 1.1 describes datasets, with fields of its RAI 1.0.

Specifications: https://docs.mlcommons.org/croissant/docs/croissant-spec-1.1.html and
https://docs.mlcommons.org/croissant/docs/croissant-rai-spec.html. Loaders find each file with its
sha256, each config as a record set; reviewers find where the data comes from and what it cannot do.

Not there: dates (the same release has the same bytes) and an address (it is not known before it is
published, and a copy has another).
"""

from collections.abc import Iterator, Mapping
from typing import Any

import orjson
import pyarrow as pa

from tracefactory.publish.card import licenses_of
from tracefactory.publish.columns import words_for
from tracefactory.schemas.manifest import Manifest
from tracefactory.schemas.traces import VIEW_SCHEMAS

NAME = "croissant.json"
_PARQUET = "application/x-parquet"
_CONTEXT: Mapping[str, Any] = {
    "@language": "en",
    "@vocab": "https://schema.org/",
    "cr": "http://mlcommons.org/croissant/",
    "rai": "http://mlcommons.org/croissant/RAI/",
    "dct": "http://purl.org/dc/terms/",
    "prov": "http://www.w3.org/ns/prov#",
    "sc": "https://schema.org/",
    "conformsTo": "dct:conformsTo",
    "name": {"@container": "@language"},
    "description": {"@container": "@language"},
    "data": {"@id": "cr:data", "@type": "@json"},
    "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
    "examples": {"@id": "cr:examples", "@type": "@json"},
    **{
        word: f"cr:{word}"
        for word in (
            "arrayShape", "citeAs", "column", "containedIn", "equivalentProperty", "extract",
            "field", "fileObject", "fileProperty", "fileSet", "format", "includes", "isArray",
            "isLiveDataset", "jsonPath", "key", "md5", "parentField", "path", "recordSet",
            "references", "regex", "repeated", "replace", "samplingRate", "separator", "source",
            "subField", "transform",
        )
    },
}  # fmt: skip
LIMITS = (
    "A right final answer does not prove the reasoning; step counts say what could be checked, and "
    "only that. Texts written by programs are exact and narrow."
)


def croissant(manifest: Manifest) -> bytes:
    """The file."""
    licenses = licenses_of(manifest)
    found = {
        "@context": _CONTEXT,
        "@type": "sc:Dataset",
        "conformsTo": [
            "http://mlcommons.org/croissant/1.1",
            "http://mlcommons.org/croissant/RAI/1.0",
        ],
        "name": manifest.title,
        "description": manifest.recipe.get("description") or manifest.title,
        "license": licenses[0] if len(licenses) == 1 else licenses,
        "version": f"{manifest.schema_version}.0.0+{manifest.recipe_id}",
        "citeAs": f"{manifest.title} (tracefactory recipe {manifest.name}, {manifest.recipe_id})",
        "isLiveDataset": False,
        **_responsible(manifest),
        "distribution": [*_files(manifest), *_file_sets(manifest)],
        "recordSet": [_record_set(config) for config in manifest.configs],
    }
    return orjson.dumps(found, option=orjson.OPT_INDENT_2) + b"\n"


def _responsible(manifest: Manifest) -> dict[str, Any]:
    """Who made it, how, from what, and what it is not good for."""
    stats = [s["stats"] for name in ("sft", "rejected") for s in _splits(manifest, name)]
    verifiers = sorted({verifier for one in stats for verifier in one["verifiers"]})
    teachers = sorted({teacher for one in stats for teacher in one["teacher_revisions"]})
    return {
        "rai:hasSyntheticData": True,
        "rai:dataCollection": "Problems whose answers can be checked were answered by teachers, "
        "which are models or programs, and every answer was checked; no human wrote a label.",
        "rai:dataCollectionType": ["Software Collection"],
        "rai:dataAnnotationProtocol": [f"verdict of {verifier}" for verifier in verifiers],
        "rai:machineAnnotationTools": verifiers,
        "rai:dataPreprocessingProtocol": [
            f"{name}: {stage['use']}" for name, stage in manifest.recipe["stages"].items()
        ],
        "rai:dataUseCases": ["supervised fine-tuning", "reinforcement learning", "pretraining"],
        "rai:dataLimitations": LIMITS,
        "rai:personalSensitiveInformation": "None was looked for; sources are named below.",
        "prov:wasDerivedFrom": [
            {"@type": "prov:Entity", "name": i["name"], "license": i["license"]}
            for i in manifest.inputs
        ],
        "prov:wasGeneratedBy": {
            "@type": "prov:Activity",
            "name": f"recipe {manifest.name} {manifest.recipe_id}",
            "prov:wasAssociatedWith": [f"tracefactory {manifest.tracefactory}", *teachers],
        },
    }


def _splits(manifest: Manifest, config: str) -> list[Mapping[str, Any]]:
    return list(manifest.configs.get(config, {}).values())


def _files(manifest: Manifest) -> Iterator[dict[str, Any]]:
    for file in manifest.files:
        yield {
            "@type": "cr:FileObject",
            "@id": file["path"],
            "name": file["path"],
            "contentUrl": file["path"],
            "contentSize": f"{file['bytes']} B",
            "encodingFormat": _PARQUET,
            "sha256": file["sha256"],
        }


def _file_sets(manifest: Manifest) -> Iterator[dict[str, Any]]:
    for config, splits in manifest.configs.items():
        yield {
            "@type": "cr:FileSet",
            "@id": f"files-of-{config}",
            "name": f"files of {config}",
            "encodingFormat": _PARQUET,
            "includes": [f"{config}/{split}-*.parquet" for split in splits],
        }


def _record_set(config: str) -> dict[str, Any]:
    fields = [_field(config, config, field) for field in VIEW_SCHEMAS[config]]
    return {
        "@type": "cr:RecordSet",
        "@id": config,
        "name": config,
        "key": {"@id": f"{config}/id"},
        "field": fields,
    }


def _field(config: str, above: str, field: pa.Field, column: str = "") -> dict[str, Any]:
    column = column or field.name
    found: dict[str, Any] = {"@type": "cr:Field", "@id": f"{above}/{field.name}"}
    found["name"] = field.name
    if field.name == column:
        found["description"] = words_for(column)
    kind = field.type
    if pa.types.is_list(kind):
        found["repeated"] = True
        kind = kind.value_type
    if pa.types.is_struct(kind):
        found["subField"] = [_field(config, found["@id"], inner, column) for inner in kind.fields]
    else:
        found["dataType"] = _data_type(kind)
    source: dict[str, Any] = {
        "fileSet": {"@id": f"files-of-{config}"},
        "extract": {"column": column},
    }
    if column != field.name:
        source["transform"] = {"jsonPath": field.name}
    return found | {"source": source}


def _data_type(kind: pa.DataType) -> str:
    if pa.types.is_boolean(kind):
        return "sc:Boolean"
    if pa.types.is_integer(kind):
        return "sc:Integer"
    return "sc:Float" if pa.types.is_floating(kind) else "sc:Text"
