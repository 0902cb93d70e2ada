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
