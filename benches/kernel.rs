//! The counting kernel on made texts: bytes a second in every mode, beside a naive counter and beside crates.
//!
//! `cargo bench --bench kernel` measures on one thread, in memory; `-- --test` only compares the answers. Whole programs
//! with files, threads and peers are measured elsewhere.

use std::time::Duration;

use benches::corpora::{self, Corpus};
use benches::rivals;
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use kernel::count::count_bytes;
use kernel::settings::{CountSettings, Filters, WordMode};

/// 4 MiB: past the second cache, and quick enough for the slowest rival.
const TEXT_BYTES: usize = 4 << 20;

/// Every counter must have the same top of 100 before any is measured.
fn assert_answer(corpus: &Corpus, settings: CountSettings, counted: &rivals::Counts, by: &str) {
    let ours = count_bytes(&corpus.text, settings).top(100, &Filters::default());
    let theirs = rivals::top(counted, 100);
    assert_eq!(ours, theirs, "{by}, {settings}, {}", corpus.name);
}

fn modes(criterion: &mut Criterion) {
    for corpus in corpora::all(TEXT_BYTES) {
        for mode in WordMode::ALL {
            let settings = CountSettings::new(mode, false);
            let rivals = rivals::of(mode);
            for (name, rival) in &rivals {
                assert_answer(&corpus, settings, &rival(&corpus.text), name);
            }
            let mut group = criterion.benchmark_group(format!("kernel/count/{mode}"));
            group.throughput(Throughput::Bytes(corpus.text.len() as u64));
            group.sample_size(10);
            group.warm_up_time(Duration::from_millis(300));
            group.measurement_time(Duration::from_secs(1));
            group.bench_function(BenchmarkId::new("ours", corpus.name), |bencher| {
                bencher.iter(|| count_bytes(&corpus.text, settings).totals());
            });
            for (name, rival) in rivals {
                group.bench_function(BenchmarkId::new(name, corpus.name), |bencher| {
                    bencher.iter(|| rival(&corpus.text).len());
                });
            }
            group.finish();
        }
    }
}

/// A text of a kilobyte must not pay for tables that large texts need.
fn small(criterion: &mut Criterion) {
    let corpus = corpora::prose(1024);
    let settings = CountSettings::default();
    let naive = rivals::segmentation(&corpus.text);
    assert_answer(&corpus, settings, &naive, "segmentation");
    let mut group = criterion.benchmark_group("kernel/small");
    group.throughput(Throughput::Bytes(corpus.text.len() as u64));
    group.sample_size(20);
    group.measurement_time(Duration::from_secs(1));
    group.bench_function(BenchmarkId::new("ours", corpus.name), |bencher| {
        bencher.iter(|| count_bytes(&corpus.text, settings).top(10, &Filters::default()));
    });
    group.finish();
}

criterion_group!(benches, modes, small);
criterion_main!(benches);
