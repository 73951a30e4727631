//! Several instances on one machine: ports and data are arguments, and nothing else is shared.

use chancery_tests::{ALICE, Client, Stack, client::Signer, stack::TRUST_FILES};
use std::fs;

#[test]
fn two_instances_do_not_disturb_each_other() {
    let (one, two) = (Stack::start(), Stack::start());
    let (alice, bob) = (one.person(ALICE), two.person("bob@example.test"));
    for person in [&alice, &bob] {
        person.write("artifact", "hello");
        Client::Cosign3.sign(person, "artifact", "bundle.json").run().succeeds();
        Client::Cosign3.verify(person, "artifact", "bundle.json", &Signer::of(person)).run().succeeds();
    }
    for name in TRUST_FILES {
        assert_ne!(one.trust_files()[name], two.trust_files()[name], "{name}");
    }
    let size = |stack: &Stack| stack.get("/api/v1/log").expect(200).json()["treeSize"].clone();
    assert_eq!(size(&one), size(&two));
}

#[test]
fn data_is_used_by_one_server_at_a_time() {
    let stack = Stack::start();
    let second = stack.chancery().args("dev --listen 127.0.0.1:0 --data").arg(stack.data()).run();
    second.fails_with(&[stack.data().to_str().unwrap()]);
    stack.get("/healthz").expect(200);
    stack.token(ALICE);
}

#[test]
fn an_address_is_used_by_one_server_at_a_time() {
    let stack = Stack::start();
    let address = stack.url().replace("http://", "");
    let second = stack.chancery().args("dev --data other --listen").arg(&address).run();
    second.fails_with(&[&address]);
}

#[test]
fn other_machines_cannot_reach_it() {
    let stack = Stack::start();
    let open = stack.chancery().args("dev --data other --listen 0.0.0.0:0").run();
    open.fails_with(&["0.0.0.0:0", "127.0.0.1"]);
}

#[test]
fn trust_is_served_as_it_is_written_and_keys_are_private() {
    let stack = Stack::start();
    for (name, contents) in stack.trust_files() {
        assert_eq!(stack.get(&format!("/trust/{name}")).expect(200).body, contents, "{name}");
    }
    let mut directories = vec![stack.data()];
    while let Some(directory) = directories.pop() {
        for file in fs::read_dir(directory).unwrap().map(|file| file.unwrap().path()) {
            if file.is_dir() {
                directories.push(file);
            } else if fs::read(&file).unwrap().windows(11).any(|window| window == b"PRIVATE KEY") {
                let mode = std::os::unix::fs::PermissionsExt::mode(&fs::metadata(&file).unwrap().permissions());
                assert_eq!(mode & 0o077, 0, "{} can be read by others", file.display());
            }
        }
    }
}
