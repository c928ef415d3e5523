"""`dust diff` on revisions and files that are not what it needs."""

DISTILL = "specs/v1/distill.yaml"
K1 = "    K-1:\n"


def test_first_specs_are_all_added(project):
    project.git("checkout", "--quiet", "--orphan", "empty")
    project.git("rm", "-r", "--quiet", "--cached", ".")
    project.git("commit", "--quiet", "--allow-empty", "-m", "nothing")
    project.git("checkout", "--quiet", "-b", "first")
    project.commit("specs")
    answer = project.dust("diff", "empty", "HEAD")
    assert answer.code == 0
    assert "**K-1** added, +40 GPU hours" in answer.out


def test_text_of_a_pull_request_stays_text(project):
    bad = "@everyone <img src=x> `|` [x](http://x) **b**"
    project.edit(DISTILL, "title: Distill at T = 3\n", f'title: "{bad}"\n')
    answer = project.dust("diff", "main")
    assert "`@everyone <img src=x> '\\|' [x](http://x) **b**`" in answer.out


def test_it_says_what_is_wrong_with_a_revision(project, tmp_path, monkeypatch):
    answer = project.dust("diff", "man")
    assert answer.code == 2
    assert "git knows no commit 'man'" in answer.err
    answer = project.dust("diff", "--", "--output=x")
    assert answer.code == 2
    assert "git knows no commit '--output=x'" in answer.err
    (tmp_path / "elsewhere" / "specs").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "elsewhere")
    answer = project.dust("diff", "main")
    assert answer.code == 2
    assert "not in a git repository" in answer.err


def test_a_shallow_clone_is_told_to_fetch(project, tmp_path, monkeypatch):
    project.edit(DISTILL, "patience: 3", "patience: 5", after=K1)
    project.commit()
    shallow = tmp_path / "shallow"
    project.git(
        "clone", "--quiet", "--depth", "1", "--branch", "work", f"file://{project.root}",
        str(shallow),
    )  # fmt: skip
    monkeypatch.chdir(shallow)
    answer = project.dust("diff", "origin/main")
    assert answer.code == 2
    assert "git fetch --unshallow" in answer.err


def test_a_base_without_common_history_is_an_error(project):
    project.git("checkout", "--quiet", "--orphan", "other")
    project.commit("unrelated")
    answer = project.dust("diff", "main", "HEAD")
    assert answer.code == 2
    assert "no common history" in answer.err


def test_a_link_among_the_specs_is_refused(project):
    (project.root / "specs/v1/extra.yaml").symlink_to("/etc/passwd")
    project.commit()
    answer = project.dust("diff", "main", "HEAD")
    assert answer.code == 2
    assert "not a regular file" in answer.err


def test_a_broken_lock_is_named(project):
    (project.root / "dvc.lock").write_text("schema: '2.0'\nstages: {K-1: {params: 3}}\n")
    project.git("checkout", "--quiet", "-B", "main")
    project.commit()
    answer = project.dust("diff", "main")
    assert answer.code == 2
    assert "dvc.lock: not a lock that DVC wrote" in answer.err


def test_a_project_may_lie_below_the_top_of_its_repository(project):
    project.git("checkout", "--quiet", "main")
    (project.root / "inner").mkdir()
    project.git("mv", "specs", "inner/specs")
    project.commit()
    project.git("checkout", "--quiet", "-B", "work")
    project.edit("inner/specs/v1/gates.yaml", "value: 1.0", "value: 2.5")
    answer = project.dust("diff", "main", "--specs", "inner/specs")
    assert answer.code == 1
    assert "the line quality_kept is loosened" in answer.out


def test_a_range_and_an_empty_name_are_no_revision(project):
    for words in (("^main",), ("main", "^main"), ("main", ""), ("main..HEAD",), ("", "HEAD")):
        answer = project.dust("diff", *words)
        assert answer.code == 2
        assert "git knows no commit" in answer.err
    assert "git knows no commit 'a\\x1b[2J\\u202e'" in project.dust("diff", "a\x1b[2J\u202e").err
