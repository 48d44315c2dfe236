"""Reads one JSON object: document. Prints it as a tree that any strict XML parser agrees with: for each element its
attributes ("@name"), its text ("#") and its children by local name, each a list. A property list is printed as its
value.
"""

import json
import plistlib
import sys
import xml.etree.ElementTree as ElementTree


def tree(element: ElementTree.Element) -> dict:
    result: dict = {f"@{name}": value for name, value in element.attrib.items()}
    result["#"] = (element.text or "").strip()
    for child in element:
        result.setdefault(child.tag.rpartition("}")[2], []).append(tree(child))
    return result


document = json.load(sys.stdin)["document"].encode()
root = ElementTree.fromstring(document)
print(json.dumps(plistlib.loads(document) if root.tag == "plist" else tree(root)))
