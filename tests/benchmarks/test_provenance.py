"""What identifies the code, the versions and the machine that a row was measured with."""

import re
import subprocess

import pytest
import torch

from benchmarks._provenance import Origin, code_version, current_origin

GIT = ["git", "-c", "user.name=a", "-c", "user.email=a@example.org", "-c", "commit.gpgsign=false"]


def git(folder, *arguments):
    done = subprocess.run(
        [*GIT, "-C", folder, *arguments], check=True, capture_output=True, text=True
    )
    return done.stdout.strip()


@pytest.fixture
def repository(tmp_path):
    for name in ("sklearn_intelvae/a.py", "benchmarks/results/table.csv", "README.md"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("1\n")
    git(tmp_path, "init", "-q")
    commit(tmp_path)
    return tmp_path


def commit(folder):
    git(folder, "add", ".")
    git(folder, "commit", "-q", "-m", "text")
    return git(folder, "rev-parse", "--short=7", "HEAD")


def version_of(folder):
    return code_version.__wrapped__(folder)


def test_the_version_is_the_last_commit_that_changed_the_code(repository):
    first = git(repository, "rev-parse", "--short=7", "HEAD")
    assert version_of(repository) == first
    (repository / "benchmarks" / "results" / "table.csv").write_text("2\n")
    (repository / "README.md").write_text("2\n")
    assert version_of(repository) == first
    commit(repository)
    assert version_of(repository) == first
    (repository / "sklearn_intelvae" / "a.py").write_text("2\n")
    last = commit(repository)
    assert version_of(repository) == last


@pytest.mark.parametrize(
    "name", ["sklearn_intelvae/a.py", "sklearn_intelvae/b.py", "benchmarks/c.py"]
)
def test_changes_that_are_not_committed_are_told_apart(repository, name):
    found = [version_of(repository)]
    for text in ("2\n", "3\n"):
        (repository / name).write_text(text)
        found.append(version_of(repository))
    assert all(re.fullmatch(found[0] + r"\+[0-9a-f]{4}", version) for version in found[1:])
    assert len(set(found)) == 3


def test_without_git_the_version_of_the_package_and_its_digest_stand_for_the_commit(tmp_path):
    (tmp_path / "benchmarks").mkdir()
    first = version_of(tmp_path)
    assert re.fullmatch(r"\d+\.\d+\.\d+\S*\+[0-9a-f]{4}", first)
    (tmp_path / "benchmarks" / "a.py").write_text("1\n")
    assert version_of(tmp_path) != first


def test_the_present_origin():
    origin = current_origin()
    assert all(isinstance(value, str) and value for value in origin)
    assert origin == current_origin()
    assert f"torch={torch.__version__}" in origin.versions
    assert origin.threads == str(torch.get_num_threads())
    assert Origin._fields == ("commit", "versions", "processor", "threads")
