//! Reads any bytes as a partial: an error or rows in order, never a panic; and what was written is read as it was.
#![no_main]

use fanout_kernel_fuzz::settings;
use kernel::count::count_bytes;
use kernel::partial::PartialReader;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    // As a partial.
    if let Ok(mut reader) = PartialReader::new(data) {
        let mut last: Option<Vec<u8>> = None;
        while let Ok(true) = reader.advance() {
            assert!(
                last.is_none_or(|last| last.as_slice() < reader.word()),
                "words rise"
            );
            assert!(reader.count() > 0, "no word was counted never");
            last = Some(reader.word().to_vec());
        }
    }

    // As a text that is counted, written, spoiled at one place and read.
    let [choice, place, bits, text @ ..] = data else {
        return;
    };
    let counts = count_bytes(text, settings(*choice));
    let mut partial = counts
        .write_partial("shard", Vec::new())
        .expect("a vector takes all");
    let mut reader = PartialReader::new(partial.as_slice()).expect("what was written begins well");
    let mut expected: Vec<(Vec<u8>, u64)> = counts
        .iter()
        .map(|(word, count)| (word.to_vec(), count))
        .collect();
    expected.sort();
    for (word, count) in expected {
        assert!(reader.advance().expect("what was written can be read"));
        assert_eq!((reader.word(), reader.count()), (word.as_slice(), count));
    }
    assert!(!reader.advance().expect("what was written ends well"));

    let place = usize::from(*place) * partial.len() / 256;
    partial[place] ^= bits | 1;
    let spoiled = PartialReader::new(partial.as_slice()).and_then(|mut reader| {
        while reader.advance()? {}
        Ok(())
    });
    assert!(
        spoiled.is_err(),
        "a byte at {place} was changed and nothing noticed"
    );
});
