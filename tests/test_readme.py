import subprocess
import sys
from pathlib import Path


def test_the_generated_parts_of_the_readme_are_up_to_date():
    root = Path(__file__).parent.parent
    result = subprocess.run(
        [sys.executable, "build/readme.py", "--check"], cwd=root, capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stderr
