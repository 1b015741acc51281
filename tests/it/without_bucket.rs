//! A build that cannot reach object storage says so in one line, and takes no such place for a folder of this machine.

use crate::support::sandbox::Sandbox;

#[test]
fn a_place_in_object_storage_is_named_with_the_feature_that_reads_it() {
    let sandbox = Sandbox::with("record a\nseal\nsegment\nrecord b");
    for words in [
        &["verify", "s3://shelf/log"][..],
        &["dump", "gs://shelf/log"],
        &["stats", "az://shelf/log"],
        &["rotate", "LOG", "--keep-segments", "1", "--archive", "s3://shelf/log"],
    ] {
        let before = sandbox.files("LOG");
        let ran = sandbox.run(words);
        assert_eq!(ran.code, 1, "{words:?}: {ran:?}");
        let line = ran.stderr.trim_end();
        assert!(
            line.contains("without the feature `bucket`") && line.contains("cargo install walctl --features bucket"),
            "{ran:?}"
        );
        assert_eq!(line.lines().count(), 1, "{ran:?}");
        assert_eq!(sandbox.files("LOG"), before, "nothing was done before that was known");
    }
    let ran = sandbox.run(&["append", "s3://shelf/log"]);
    assert!(ran.code == 2 && !sandbox.path().join("s3:").exists(), "{ran:?}");
}
