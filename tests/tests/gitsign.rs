//! gitsign signs commits: Fulcio v1 with a key in DER, and a log entry whose proof travels in the commit.

use chancery_tests::{
    ALICE, MALLORY, Person, Stack,
    client::{Signer, with_signer},
    person::gitsign_path,
    program::{Outcome, Program},
    search,
    tuf::TufRepository,
};

/// A repository in which commits are signed with gitsign, and where gitsign gets its trusted root.
fn repository(person: &Person) -> TufRepository {
    let gitsign = gitsign_path();
    person.write(
        ".gitconfig",
        format!(
            "[user]\n\tname = Alice\n\temail = {}\n[init]\n\tdefaultBranch = main\n[commit]\n\tgpgsign = true\n\
             [gpg]\n\tformat = x509\n[gpg \"x509\"]\n\tprogram = {}\n",
            person.email,
            gitsign.display()
        ),
    );
    git(person, "init --quiet").succeeds();
    TufRepository::start(person)
}

fn git(person: &Person, line: &str) -> Outcome {
    person.git().env("GITSIGN_REKOR_MODE", "offline").args(line).run()
}

fn verify(person: &Person, tuf: &TufRepository, signer: &Signer, commit: &str) -> Outcome {
    let gitsign = person.gitsign().env("TUF_MIRROR", &tuf.mirror).env("TUF_ROOT_JSON", &tuf.root);
    with_signer(gitsign.arg("verify"), signer).arg(commit).run()
}

/// As git has gitsign verify a commit. It does not say whose it must be.
fn git_verifies(person: &Person, tuf: &TufRepository, commit: &str) -> Outcome {
    verifying_git(person, tuf, commit).run()
}

fn verifying_git(person: &Person, tuf: &TufRepository, commit: &str) -> Program {
    let git = person.git().env("TUF_MIRROR", &tuf.mirror).env("TUF_ROOT_JSON", &tuf.root);
    git.env("GITSIGN_REKOR_MODE", "online").args("verify-commit").arg(commit)
}

#[test]
fn signs_and_verifies_a_commit() {
    let stack = Stack::start();
    let alice = stack.person(ALICE);
    let tuf = repository(&alice);
    git(&alice, "commit --quiet --allow-empty --message=first").succeeds();
    let signer = Signer::of(&alice);
    let said = verify(&alice, &tuf, &signer, "HEAD");
    let good = format!("Good signature from [{ALICE}]({})", stack.issuer());
    for line in ["tlog index: 1", &good, "Validated Git signature: true", "Validated Certificate claims: true"] {
        assert!(said.written().contains(line), "{}", said.report());
    }
    said.succeeds();

    let mallory = Signer { identity: MALLORY.into(), ..signer.clone() };
    verify(&alice, &tuf, &mallory, "HEAD").fails_with(&["none of the expected identities", ALICE]);
    let other_issuer = Signer { issuer: "https://issuer.example.test".into(), ..signer.clone() };
    verify(&alice, &tuf, &other_issuer, "HEAD").fails_with(&["none of the expected identities", &stack.issuer()]);

    git(&alice, "commit --quiet --allow-empty --no-gpg-sign --message=second").succeeds();
    verify(&alice, &tuf, &signer, "HEAD").fails_with(&["signature"]);
}

#[test]
fn notices_a_changed_commit() {
    let stack = Stack::start();
    let alice = stack.person(ALICE);
    let tuf = repository(&alice);
    git(&alice, "commit --quiet --allow-empty --message=first").succeeds();
    let commit = git(&alice, "cat-file commit HEAD").succeeds();
    alice.write("changed", commit.replace("first", "other"));
    let changed = git(&alice, "hash-object -t commit -w changed").succeeds();
    verify(&alice, &tuf, &Signer::of(&alice), changed.trim()).fails_with(&["failed to verify"]);
}

#[test]
fn the_server_need_not_be_there_to_verify() {
    let mut stack = Stack::start();
    let alice = stack.person(ALICE);
    let tuf = repository(&alice);
    git(&alice, "commit --quiet --allow-empty --message=first").succeeds();
    stack.terminate();
    verify(&alice, &tuf, &Signer::of(&alice), "HEAD").succeeds();
}

#[test]
fn a_commit_without_its_proof_is_looked_up_in_the_log() {
    let mut stack = Stack::start();
    let alice = stack.person(ALICE);
    let tuf = repository(&alice);
    // The mode that gitsign has by default: the log's entry is about the commit, and not in it.
    let commit = alice.git().env("GITSIGN_REKOR_MODE", "online");
    commit.args("commit --quiet --allow-empty --message=first").run().succeeds();
    search::wait(&stack);
    let signer = Signer::of(&alice);
    let said = verify(&alice, &tuf, &signer, "HEAD");
    assert!(said.written().contains("Validated Rekor entry: true"), "{}", said.report());
    said.succeeds();
    // A second commit by the same person is another entry, of another key.
    let commit = alice.git().env("GITSIGN_REKOR_MODE", "online");
    commit.args("commit --quiet --allow-empty --message=second").run().succeeds();
    search::wait(&stack);
    verify(&alice, &tuf, &signer, "HEAD").succeeds();
    verify(&alice, &tuf, &signer, "HEAD~1").succeeds();
    for commit in ["HEAD", "HEAD~1"] {
        let said = git_verifies(&alice, &tuf, commit);
        assert!(said.written().contains("Validated Rekor entry: true"), "{}", said.report());
        said.succeeds();
    }
    let git = verifying_git(&alice, &tuf, "HEAD");
    stack.terminate();
    verify(&alice, &tuf, &signer, "HEAD").fails_with(&["failed to validate rekor entry"]);
    assert!(!git.run().status.success());
}
