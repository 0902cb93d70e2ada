"""A discovery document and the wheels of Google's own types for the same service -> the numbers of its enums, as JSON.

    tools/google_numbers.py run.v2.json GoogleCloudRunV2 google/cloud/run_v2/types google_cloud_run.whl common_protos.whl

Discovery documents name the values of an enum and do not number them, and clients send numbers. The types are read as text,
so nothing of what they need has to be installed. What comes out is {schema: {field: {name: number}}}.
"""

import ast
import json
import re
import sys
import zipfile


def reference(node):
    """The name that an expression stands for: `State`, `"Job.State"` or `job_state.JobState`."""
    if isinstance(node, ast.Constant):
        return node.value
    if isinstance(node, ast.Name):
        return node.id
    return f"{reference(node.value)}.{node.attr}"


def is_made_by(node, names):
    return isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in names


def gather(body, scope, enums, fields):
    """Notes each enum under its name, and each field of an enum as (its message, its name, its enum)."""
    for node in body:
        if isinstance(node, ast.ClassDef):
            name = scope + [node.name]
            if any(reference(base) == "proto.Enum" for base in node.bases):
                values = [one for one in node.body if isinstance(one, ast.Assign)]
                enums[".".join(name)] = {one.targets[0].id: ast.literal_eval(one.value) for one in values}
            else:
                gather(node.body, name, enums, fields)
        elif isinstance(node, ast.AnnAssign) and is_made_by(node.value, ["Field", "RepeatedField", "MapField"]):
            enum = [word.value for word in node.value.keywords if word.arg == "enum"]
            if enum:
                fields.append((scope, node.target.id, reference(enum[0])))


def gather_common(text, enums):
    """Notes the enums that services share, which are published as text of their own."""
    for name, values in re.findall(r"^enum (\w+) \{(.*?)^\}", text, re.MULTILINE | re.DOTALL):
        enums[name] = {value: int(number) for value, number in re.findall(r"^ +(\w+) = (\d+)", values, re.MULTILINE)}


def found(scope, name, enums):
    """The enum that a name means inside a message: the innermost one, else one of another file. None: it is in no wheel."""
    words = name.split(".")
    places = [scope[:depth] + words for depth in range(len(scope), -1, -1)] + [words[1:]]
    return next((enums[".".join(place)] for place in places if ".".join(place) in enums), None)


def json_name(field):
    return re.sub(r"_(.)", lambda letter: letter[1].upper(), field.rstrip("_"))


def read(folder, wheels):
    """The enums by name, and the fields that hold one."""
    common, enums, fields = {}, {}, []
    for wheel in wheels:
        with zipfile.ZipFile(wheel) as archive:
            for name in sorted(archive.namelist()):
                if name.startswith(folder + "/") and name.endswith(".py"):
                    gather(ast.parse(archive.read(name)).body, [], enums, fields)
                elif name.startswith("google/api/") and name.endswith(".proto"):
                    gather_common(archive.read(name).decode(), common)
    return common | enums, fields


def main(document, prefix, folder, *wheels):
    enums, fields = read(folder, wheels)
    with open(document, encoding="utf-8") as file:
        schemas = json.load(file)["schemas"]
    numbers = {}
    for scope, field, enum in fields:
        schema, values = prefix + "".join(scope), found(scope, enum, enums)
        if values and json_name(field) in schemas.get(schema, {}).get("properties", {}):
            numbers.setdefault(schema, {})[json_name(field)] = values
    json.dump(numbers, sys.stdout, indent=1, sort_keys=True)


main(*sys.argv[1:])
