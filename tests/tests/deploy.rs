//! What is in `deploy/` is what its programs take: each file goes through the linter or loader of its kind, and a finding is
//! a failure. `deploy/check-dockerfile` runs the Dockerfile's commands; that takes too long for here.

use chancery_tests::{
    ALICE, Person,
    http::Request,
    person::client,
    program::Program,
    stack::{self, chancery_binary},
};
use serde_json::{Map, Value, json};
use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};
use tempfile::TempDir;

/// The oldest and the newest Kubernetes the chart is for.
const KUBERNETES: [&str; 2] = ["1.29.0", "1.37.0"];
/// systemd's measure of what a service could do, times ten: 100 is a service without any sandbox.
const EXPOSURE: u32 = 15;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

fn text(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

fn program(path: impl AsRef<Path>) -> Program {
    Program::new(path, &root()).env("PATH", "/usr/bin:/bin")
}

fn toml(text: &str) -> Map<String, Value> {
    toml::from_str(text).unwrap_or_else(|error| panic!("{error}\n{text}"))
}

#[test]
fn the_dockerfile_has_no_findings() {
    let findings = program(client("linters/bin/hadolint")).args("--no-color deploy/Dockerfile").run().succeeds();
    assert_eq!(findings, "");
}

/// The compose file for production.
const PRODUCTION: &str = "deploy/compose/production.yml";

/// What docker compose makes of a file, with the profile `dev`.
fn compose(file: &str, directory: &Path) -> Program {
    let compose = program(client("bin/compose")).env("HOME", directory.as_os_str());
    compose.arg("--file").arg(root().join(file)).args("--profile dev config --format json")
}

#[test]
fn compose_takes_the_file_for_production_and_no_role_gets_what_is_another_s() {
    let home = TempDir::new().unwrap();
    compose(PRODUCTION, home.path()).run().fails_with(&["POSTGRES_PASSWORD", "deploy/README.md"]);

    let outcome = compose(PRODUCTION, home.path()).env("POSTGRES_PASSWORD", "sesame").run();
    assert_eq!(outcome.stderr, "", "warnings");
    let project: Value = serde_json::from_str(&outcome.succeeds()).unwrap();
    let services = project["services"].as_object().unwrap();
    let names: Vec<_> = services.keys().map(String::as_str).collect();
    assert_eq!(names, ["ca", "init", "issuer", "log", "postgres", "trust"]);
    for (name, secrets, volumes, has_database) in [
        ("ca", vec!["ca"], vec!["ca-keys", "data"], false),
        ("init", vec!["ca", "log", "tsa"], vec!["ca-keys", "data", "log-keys", "tsa-keys"], true),
        ("issuer", vec![], vec!["issuer"], false),
        ("log", vec!["log"], vec!["data", "log-keys"], true),
        ("trust", vec!["tsa"], vec!["data", "tsa-keys"], false),
    ] {
        let service = &services[name];
        let sources = |key: &str, kind: Option<&str>| -> Vec<String> {
            let all = service[key].as_array().into_iter().flatten();
            let of_kind = all.filter(|entry| kind.is_none() || entry["type"].as_str() == kind);
            of_kind
                .map(|entry| entry["source"].as_str().unwrap().to_owned())
                .collect::<BTreeSet<_>>()
                .into_iter()
                .collect()
        };
        assert_eq!(sources("secrets", None), secrets, "{name}");
        assert_eq!(sources("volumes", Some("volume")), volumes, "{name}");
        for directory in sources("volumes", Some("bind")) {
            assert_eq!(Path::new(&directory), root().join("deploy/compose/config"), "{name}");
        }
        assert_eq!(service["environment"]["PGPASSWORD"] == "sesame", has_database, "{name}");
        assert_eq!(service["networks"].get("database").is_some(), has_database, "{name}");
        assert_eq!(service["read_only"], true, "{name}");
        assert_eq!(service["cap_drop"], json!(["ALL"]), "{name}");
        assert_eq!(service["security_opt"], json!(["no-new-privileges:true"]), "{name}");
    }
    // The image's check asks the server that the configuration file is of.
    let health = ["init", "issuer"].map(|name| services[name]["healthcheck"].clone());
    let issuer = json!({"test": ["CMD", "/usr/bin/chancery", "health", "--url", "http://127.0.0.1:8088"]});
    assert_eq!(health, [json!({"disable": true}), issuer]);
    assert_eq!(project["networks"]["database"]["internal"], true);
    assert!(!text(PRODUCTION).contains("sesame"));
}

/// The try, as docker compose reads it with no environment, no `.env` and no file that was edited.
fn tried() -> Value {
    let home = TempDir::new().unwrap();
    let outcome = compose("docker-compose.yml", home.path()).run();
    assert_eq!(outcome.stderr, "", "warnings");
    serde_json::from_str(&outcome.succeeds()).unwrap()
}

#[test]
fn the_try_needs_no_setting_and_is_reached_from_this_machine_only() {
    let project = tried();
    let services = project["services"].as_object().unwrap();
    let names: Vec<_> = services.keys().map(String::as_str).collect();
    assert_eq!(names, ["chancery", "init", "issuer", "secrets"]);
    assert_eq!(project.get("secrets"), None, "no file with a secret has to be there");
    let published: Vec<&Value> = services.values().filter_map(|service| service.get("ports")).collect();
    assert_eq!(published.len(), 1);
    assert_eq!(published[0].as_array().unwrap().len(), 1);
    assert_eq!((&published[0][0]["host_ip"], &published[0][0]["published"]), (&json!("127.0.0.1"), &json!("8080")));
    assert_eq!(services["issuer"]["network_mode"], "service:chancery", "the issuer has no address of its own");
    for (name, service) in services {
        assert_eq!(service["read_only"], true, "{name}");
        assert_eq!(service["cap_drop"], json!(["ALL"]), "{name}");
        assert_eq!(service["security_opt"], json!(["no-new-privileges:true"]), "{name}");
        // The image has these directories, owned by its user, and so new volumes there belong to it.
        for volume in service["volumes"].as_array().unwrap().iter().filter(|volume| volume["type"] == "volume") {
            let target = format!("{} ", volume["target"].as_str().unwrap());
            let image = text("deploy/Dockerfile");
            let made = image.split("install --directory").nth(1).unwrap().split("\nCOPY").next().unwrap();
            assert!(format!("{made} ").replace('\n', " ").contains(&format!(" {target}")), "{target}{made}");
        }
    }
    for file in ["docker-compose.yml", "deploy/compose/try/chancery.toml", "deploy/compose/try/issuers.toml"] {
        let first = text(file).lines().next().unwrap().to_lowercase();
        assert!(first.contains("try"), "{file} says that it is a try: {first}");
    }
}

/// The containers of the try as processes: what they mount is in directories of a test, and ports are free ones.
struct Try {
    services: Value,
    directory: TempDir,
    ports: [u16; 2],
}

impl Try {
    fn new() -> Self {
        let made = Self {
            services: tried()["services"].clone(),
            directory: TempDir::new().unwrap(),
            ports: [stack::free_port(), stack::free_port()],
        };
        for volume in ["secrets", "keys", "data", "issuer", "config"] {
            fs::create_dir(made.directory.path().join(volume)).unwrap();
        }
        for file in ["chancery.toml", "issuers.toml"] {
            let text = made.placed("chancery", &text(&format!("deploy/compose/try/{file}")));
            fs::write(made.directory.path().join("config").join(file), text).unwrap();
        }
        made
    }

    fn url(&self) -> String {
        format!("http://localhost:{}", self.ports[0])
    }

    fn issuer(&self) -> String {
        format!("http://127.0.0.1:{}", self.ports[1])
    }

    /// A text of a service with its paths and ports in this test.
    fn placed(&self, service: &str, text: &str) -> String {
        let [server, issuer] = self.ports.map(|port| format!(":{port}"));
        let mut text = text.replace("$$", "$").replace(":8080", &server).replace(":8088", &issuer);
        for volume in self.services[service]["volumes"].as_array().unwrap() {
            let source = if volume["type"] == "bind" { "config" } else { volume["source"].as_str().unwrap() };
            let place = self.directory.path().join(source);
            text = text.replace(volume["target"].as_str().unwrap(), place.to_str().unwrap());
        }
        text
    }

    /// A service's process.
    fn service(&self, name: &str) -> Program {
        let service = &self.services[name];
        let words = |key: &str| service[key].as_array().cloned().unwrap_or_default();
        let mut words = words("entrypoint").into_iter().chain(words("command"));
        let is_shell = !service["entrypoint"].is_null();
        let path = if is_shell { words.next().unwrap().as_str().unwrap().into() } else { chancery_binary() };
        let program = Program::new(path, self.directory.path()).env("PATH", "/usr/bin:/bin");
        words.fold(program, |program, word| program.arg(self.placed(name, word.as_str().unwrap())))
    }

    fn secrets(&self) -> Vec<String> {
        ["ca", "log", "tsa"]
            .map(|name| fs::read_to_string(self.directory.path().join("secrets").join(name)).unwrap())
            .into()
    }
}

#[test]
fn the_try_generates_its_secrets_and_signs() {
    let tried = Try::new();
    for _ in 0..2 {
        tried.service("secrets").run().succeeds();
    }
    let secrets = tried.secrets();
    assert!(secrets.iter().all(|secret| secret.len() == 64 && secret.chars().all(|c| c.is_ascii_hexdigit())));
    assert_eq!(secrets.iter().collect::<BTreeSet<_>>().len(), 3, "each is another one");
    for _ in 0..2 {
        tried.service("init").run().succeeds();
    }
    for key in ["ca", "rekor", "rekor2", "ct", "tsa"] {
        let pem = fs::read_to_string(tried.directory.path().join(format!("keys/{key}.pem"))).unwrap();
        assert!(pem.starts_with("-----BEGIN ENCRYPTED PRIVATE KEY-----"), "{key}");
    }
    let mut server = tried.service("chancery").start();
    server.wait_for(" ready ");
    let mut issuer = tried.service("issuer").start();
    issuer.wait_for("Stop with Ctrl-C");

    let alice = Person::at(&tried.url(), tried.directory.path().to_owned(), ALICE);
    for name in ["trusted_root.json", "signing_config.json"] {
        alice.write(name, Request::get(&format!("{}/trust/{name}", tried.url())).send().expect(200).text());
    }
    let token =
        alice.program(chancery_binary()).args("token").arg(ALICE).arg("--url").arg(tried.issuer()).run().succeeds();
    alice.write("hello.txt", "hello");
    let sign =
        alice.cosign3().args("sign-blob --yes --signing-config signing_config.json --trusted-root trusted_root.json");
    let sign = sign.args("--bundle hello.sigstore.json --identity-token").arg(token.trim());
    sign.arg("hello.txt").run().succeeds();
    let verify = alice.cosign3().args("verify-blob --trusted-root trusted_root.json --bundle hello.sigstore.json");
    let verify = verify.args("--certificate-identity").arg(ALICE).args("--certificate-oidc-issuer");
    verify.arg(format!("{}/oidc", tried.issuer())).arg("hello.txt").run().succeeds();
    assert_eq!(tried.secrets(), secrets);
}

#[test]
fn compose_s_issuers_are_accepted() {
    let issuers = text("deploy/compose/config/issuers.toml");
    let directory = TempDir::new().unwrap();
    for (name, issuers, count) in [("issuers.toml", issuers.clone(), 1), ("dev.toml", uncommented(&issuers), 2)] {
        let file = directory.path().join(name);
        fs::write(&file, issuers).unwrap();
        let said = program(chancery_binary()).args("config check").arg(file).run().succeeds();
        assert_eq!(said.matches("  kind ").count(), count, "{said}");
    }
}

/// With the settings that are left out: lines that begin with `#` and no space.
fn uncommented(text: &str) -> String {
    let line = |line: &str| match line.strip_prefix('#') {
        Some(rest) if !rest.starts_with(' ') => format!("{rest}\n"),
        _ => format!("{line}\n"),
    };
    text.lines().map(line).collect()
}

/// `table.key` of everything a configuration says.
fn keys(configuration: &Map<String, Value>) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for (name, value) in configuration {
        match value {
            Value::Object(table) => found.extend(table.keys().map(|key| format!("{name}.{key}"))),
            _ => {
                found.insert(name.clone());
            }
        }
    }
    found
}

#[test]
fn the_example_explains_every_key_that_is_used() {
    let example = text("deploy/chancery.toml");
    let explained = keys(&toml(&uncommented(&example)));
    assert!(keys(&toml(&example)).is_subset(&explained));
    let mut used = vec![("compose", toml(&text("deploy/compose/config/chancery.toml")))];
    used.extend(VARIANTS.map(|variant| (variant, toml(&rendered(variant).config()["chancery.toml"]))));
    for (what, configuration) in used {
        let unknown: Vec<_> = keys(&configuration).difference(&explained).cloned().collect();
        assert_eq!(unknown, Vec::<String>::new(), "{what}");
    }
}

/// The two kinds of instances the chart makes; each has a file of values in `tests/deploy`.
const VARIANTS: [&str; 2] = ["sqlite", "postgres"];

fn helm(verb: &str, variant: &str, kubernetes: &str) -> Program {
    let helm = program(client("bin/helm")).args(verb).args("deploy/helm/chancery --kube-version").arg(kubernetes);
    helm.arg("--values").arg(root().join(format!("tests/deploy/{variant}.yaml")))
}

/// What the chart makes, by kind.
struct Rendered {
    text: String,
    objects: BTreeMap<String, Value>,
}

impl Rendered {
    fn config(&self) -> BTreeMap<String, String> {
        serde_json::from_value(self.objects["ConfigMap"]["data"].clone()).unwrap()
    }

    fn kinds(&self) -> Vec<&str> {
        self.objects.keys().map(String::as_str).collect()
    }
}

fn rendered(variant: &str) -> Rendered {
    let text = helm("template chancery", variant, KUBERNETES[1]).run().succeeds();
    let mut objects = BTreeMap::new();
    for document in text.split("---\n").filter(|document| !document.trim().is_empty()) {
        let object: Value = serde_norway::from_str(document).unwrap();
        let kind = object["kind"].as_str().unwrap().to_owned();
        assert!(objects.insert(kind, object).is_none(), "two of a kind");
    }
    Rendered { text, objects }
}

#[test]
fn the_chart_passes_helm_and_kubernetes() {
    let directory = TempDir::new().unwrap();
    for variant in VARIANTS {
        let said = helm("lint --strict", variant, KUBERNETES[0]).run().succeeds();
        // Helm would like an icon, which is not a finding.
        let said = said.replace("[INFO] Chart.yaml: icon is recommended", "");
        assert!(!said.contains('['), "{said}");

        let file = directory.path().join(variant);
        let made = rendered(variant);
        fs::write(&file, &made.text).unwrap();
        for version in KUBERNETES {
            let validate = program(client("linters/bin/kubernetes-validate")).args("--strict --kubernetes-version");
            let said = validate.arg(version).arg(&file).run().succeeds();
            assert_eq!(said.matches(" passed for resource ").count(), made.objects.len(), "{said}");
        }
    }
}

#[test]
fn the_chart_refuses_what_would_not_start() {
    for (variant, setting, why) in [
        ("sqlite", "url=sign.example.org", "'/url'"),
        ("sqlite", "url=https://sign.example.org/", "'/url'"),
        ("sqlite", "issuers=null", "issuers"),
        ("sqlite", "image.repository=", "repository"),
        ("sqlite", "config.ca.issuers=x", "issuers"),
        ("sqlite", "replicas=2", "replicas"),
        ("postgres", "database.url=mysql://x", "'/database/url'"),
    ] {
        helm("template chancery", variant, KUBERNETES[1]).arg("--set").arg(setting).run().fails_with(&[why]);
    }
}

#[test]
fn the_chart_makes_one_pod_and_nothing_that_needs_rights() {
    let common = ["ConfigMap", "NetworkPolicy", "Service", "ServiceAccount"];
    for (variant, workload, others) in
        [("sqlite", "StatefulSet", vec![]), ("postgres", "Deployment", vec!["Ingress", "PersistentVolumeClaim"])]
    {
        let made = rendered(variant);
        let expected: BTreeSet<_> = common.into_iter().chain([workload]).chain(others).collect();
        assert_eq!(made.kinds(), expected.into_iter().collect::<Vec<_>>(), "{variant}");
        let spec = &made.objects[workload]["spec"];
        assert_eq!(spec["replicas"], 1, "the keys are in one volume");
        let pod = &spec["template"]["spec"];
        restricted(pod);
        let init = &pod["initContainers"][0];
        assert_eq!(init["args"], json!(["init", "--config", "/etc/chancery/chancery.toml", "--if-needed"]));
        for same in ["image", "env", "volumeMounts"] {
            assert_eq!(init.get(same), pod["containers"][0].get(same), "{same}");
        }
        assert_eq!(made.objects["Service"]["spec"]["selector"], spec["selector"]["matchLabels"]);
    }
}

/// What the pod security standard «restricted» demands.
fn restricted(pod: &Value) {
    assert_eq!(pod["securityContext"]["runAsNonRoot"], true);
    assert_eq!(pod["securityContext"]["seccompProfile"]["type"], "RuntimeDefault");
    for host in ["hostNetwork", "hostPID", "hostIPC"] {
        assert_eq!(pod.get(host), None, "{host}");
    }
    for volume in pod["volumes"].as_array().unwrap() {
        let kinds: Vec<_> = volume.as_object().unwrap().keys().filter(|key| *key != "name").collect();
        assert!(["configMap", "secret", "persistentVolumeClaim"].contains(&kinds[0].as_str()), "{volume}");
    }
    for container in ["initContainers", "containers"].into_iter().flat_map(|key| pod[key].as_array().unwrap()) {
        let context = &container["securityContext"];
        assert_eq!(context["allowPrivilegeEscalation"], false);
        assert_eq!(context["readOnlyRootFilesystem"], true);
        assert_eq!(context["capabilities"], json!({"drop": ["ALL"]}));
        assert!(context.get("runAsUser").is_none() && context.get("privileged").is_none());
        assert!(container["resources"]["requests"]["cpu"].is_string());
        assert!(container["resources"]["limits"]["memory"].is_string());
    }
}

#[test]
fn the_chart_s_values_become_the_configuration() {
    let config = rendered("postgres").config();
    assert_eq!(
        Value::Object(toml(&config["chancery.toml"])),
        json!({
            "url": "https://sign.example.org",
            "organization": "Example \"& Söhne\" <Ltd>",
            "data": "/var/lib/chancery/data",
            "listen": {
                "address": "0.0.0.0:8080",
                "metrics": "0.0.0.0:9090",
                "tls": {"certificate": "/run/tls/tls.crt", "key": "/run/tls/tls.key"},
            },
            "database": {
                "url": "postgres://chancery@db.example.org/chancery?sslmode=verify-full\
                        &sslrootcert=/run/secrets/chancery-db/ca.crt",
            },
            "ca": {
                "issuers": "issuers.toml",
                "key": "awskms:///alias/ca?region=eu-central-1",
                "client_signing_algorithms": ["ecdsa-sha2-256-nistp256", "ed25519"],
                // An integer, and the default of the other limit taken away.
                "limit_identity": 10_000_000,
            },
            "log": {
                "rekor2_url": "https://rekor2.example.org",
                "rekor_key": "file:/var/lib/chancery/keys/rekor.pem?password-file=/run/secrets/chancery-keys/log",
                "tiles": {
                    "url": "s3://bucket/prefix",
                    "region": "eu-central-1",
                    "credentials": "/run/secrets/chancery-s3/aws.ini",
                },
            },
            "tsa": {"key": "file:/var/lib/chancery/keys/tsa.pem?password-env=TSA_PASSWORD"},
            "trust": {},
            "events": {"webhook": "https://hooks.example.org/rekor", "kinds": ["dsse"]},
        })
    );
    let ingress = &rendered("postgres").objects["Ingress"]["spec"];
    let hosts = json!(["sign.example.org", "rekor2.example.org"]);
    let of_rules: Vec<&Value> = ingress["rules"].as_array().unwrap().iter().map(|rule| &rule["host"]).collect();
    assert_eq!((json!(of_rules), &ingress["tls"][0]["hosts"]), (hosts.clone(), &hosts));
    let least = toml(&rendered("sqlite").config()["chancery.toml"]);
    assert!(!least.contains_key("events"));
    assert_eq!(least["ca"], json!({"issuers": "issuers.toml", "limit_identity": 60, "limit_issuer": 600}));
    assert!(!least.contains_key("database") && least["listen"].get("tls").is_none());

    let directory = TempDir::new().unwrap();
    let file = directory.path().join("issuers.toml");
    fs::write(&file, &config["issuers.toml"]).unwrap();
    let said = program(chancery_binary()).args("config check").arg(file).run().succeeds();
    assert!(said.contains("https://cluster-b.example.org"), "{said}");
    assert!(said.contains("only if   repository_owner is acme"), "{said}");
}

/// The units, as if the program were installed.
fn units(directory: &Path) -> Vec<PathBuf> {
    let installed = |unit: &str| {
        let text = text(&format!("deploy/systemd/{unit}"));
        let at_home = text.replace("/usr/bin/chancery", chancery_binary().to_str().unwrap());
        assert_ne!(text, at_home);
        let file = directory.join(unit);
        fs::write(&file, at_home).unwrap();
        file
    };
    ["chancery.service", "chancery-init.service"].map(installed).into()
}

#[test]
fn systemd_takes_the_units_and_finds_little_that_they_could_do() {
    let directory = TempDir::new().unwrap();
    for unit in units(directory.path()) {
        let verify =
            program("/usr/bin/systemd-analyze").args("verify --man=no --recursive-errors=yes").arg(&unit).run();
        assert_eq!(verify.written(), "");
        verify.succeeds();
        let security = program("/usr/bin/systemd-analyze").args("security --offline=yes --no-pager");
        security.arg(format!("--threshold={EXPOSURE}")).arg(&unit).run().succeeds();
    }
}

#[test]
fn init_runs_in_the_same_sandbox_as_the_service() {
    let settings = |unit: &str| -> Vec<String> {
        let text = text(&format!("deploy/systemd/{unit}"));
        let service = text.split("[Service]\n").nth(1).unwrap().split("[Install]").next().unwrap();
        let own = ["Type=", "ExecStart=", "ExecReload=", "Restart", "TimeoutStopSec="];
        let lines = service.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
        lines.filter(|line| !own.iter().any(|own| line.starts_with(own))).map(str::to_owned).collect()
    };
    assert_eq!(settings("chancery-init.service"), settings("chancery.service"));
}
