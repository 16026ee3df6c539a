"""``python -m hallmark.api.admission [FOLDER]``: write the policies as manifests."""

import sys
from pathlib import Path

from hallmark.api.admission import files, watch_role
from hallmark.api.generated import write_generated

folder = Path(sys.argv[1] if len(sys.argv) > 1 else "manifests/base/admission")
write_generated(folder, files(), "python -m hallmark.api.admission")
write_generated(folder.parent / "rbac", watch_role(), "python -m hallmark.api.admission")
