-- A journal of layout 1 as text, for sqlite3: the first two events of run-events.jsonl and the last.
create table events (
    run text not null, seq integer not null, time integer not null, type text not null,
    task text, attempt text, json text not null, primary key (run, seq)
) strict, without rowid;
create table runs (run text primary key, started integer not null) strict, without rowid;
insert into runs values ('20261121-230405-9f3c', 1795302245000);
insert into events values ('20261121-230405-9f3c', 1, 1795302245000, 'run_started', null, null, '{"v":1,"seq":1,"time":1795302245000,"run":"20261121-230405-9f3c","type":"run_started","pipeline":"week12","spec":"specs/week12.toml","spec_digest":"feed","params":{"games":["g1"]},"tasks":5}');
insert into events values ('20261121-230405-9f3c', 2, 1795302245001, 'tasks_cached', null, null, '{"v":1,"seq":2,"time":1795302245001,"run":"20261121-230405-9f3c","type":"tasks_cached","stage":"plays","cells":[{"game":"g1"}]}');
insert into events values ('20261121-230405-9f3c', 3, 1795302248005, 'run_finished', null, null, '{"v":1,"seq":3,"time":1795302248005,"run":"20261121-230405-9f3c","type":"run_finished","succeeded":1,"cached":1,"failed":1,"skipped":1,"cancelled":1}');
pragma user_version = 1;
