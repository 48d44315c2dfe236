"""Reads one JSON object: document, schema (a file of schemas/, RELAX NG). Prints what is wrong with the document, as a
list; nothing is an empty list.
"""

import json
import sys
from pathlib import Path

from lxml import etree

task = json.load(sys.stdin)
schema = etree.RelaxNG(etree.parse(Path(__file__).parent / "schemas" / task["schema"]))
schema.validate(etree.fromstring(task["document"].encode(), etree.XMLParser(resolve_entities=False)))
print(json.dumps([f"line {error.line}: {error.message}" for error in schema.error_log]))
