//! A worker confines itself: what grows beyond all that was asked for ends its attempt and nothing else.

use crate::bench::Bench;

#[test]
fn a_file_that_outgrows_the_disk_that_was_asked_for_ends_the_attempt_and_says_why() {
    let export = |disk: &str| {
        let bench = Bench::with(&format!(
            "version = 1\nname = \"wild\"\n[stages.plays]\nkind = \"export\"\nresources.disk = \"{disk}\"\n\
             source = {{ type = \"sqlite\", path = \"plays.db\" }}\n\
             query = \"with recursive n(id) as (select 1 union all select id + 1 from n where id < 5000) select id from n\"\n"
        ));
        rusqlite::Connection::open(bench.path("plays.db")).unwrap().execute_batch("create table t (a)").unwrap();
        bench.pipe(&["run", "spec.toml"])
    };
    // 5,000 rows such as `{"id":1234}` are 50 kB at the least.
    let said = export("20 kB");
    assert_eq!(said.code, Some(1), "{said:?}");
    assert!(said.stderr.contains("a file grew larger than all the disk that was asked for"), "{said:?}");
    assert!(said.stderr.contains("`resources.disk` asked for 20 kB"), "{said:?}");
    assert_eq!(export("1 MB").code, Some(0));
}

#[test]
fn a_stage_that_asks_for_more_than_the_whole_disk_is_refused_before_anything_runs() {
    let bench = Bench::with(
        "version = 1\nname = \"big\"\n[stages.cut]\nkind = \"command\"\nargv = [\"true\"]\nresources.disk = \"8000000 TB\"\n",
    );
    for verb in ["run", "plan", "validate"] {
        let said = bench.pipe(&[verb, "spec.toml"]);
        assert_eq!(said.code, Some(2), "{verb}: {said:?}");
        assert!(
            said.stderr.contains("`cut` does not fit this machine: 8000000 TB of disk, and the one of "),
            "{said:?}"
        );
        assert!(said.stderr.contains("spec.toml:6:18"), "{said:?}");
    }
    // Nor is one that would be put here by a choice of ours.
    let spec = bench.read("spec.toml");
    bench.write("spec.toml", &format!("{spec}\nbackend = \"auto\"\n"));
    let said = bench.pipe(&["plan", "spec.toml"]);
    assert!(said.code == Some(2) && said.stderr.contains("`cut` does not fit this machine"), "{said:?}");
    // Judged by its text alone it may be meant for another machine.
    let said = bench.pipe(&["validate", "--offline", "spec.toml"]);
    assert_eq!(said.code, Some(0), "{said:?}");
    assert!(!bench.path(".pipe").exists());
}
