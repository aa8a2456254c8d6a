//! Customers a second from the generator, files included.

use divan::counter::ItemsCount;
use divan::{Bencher, black_box};
use throughline_sample::{SampleOptions, generate};

fn main() {
    divan::main();
}

#[divan::bench(args = [500, 5_000], sample_count = 5, sample_size = 1)]
fn customers(bencher: Bencher<'_, '_>, customers: u64) {
    let folder = tempfile::tempdir().expect("a folder");
    let options = SampleOptions { customers, ..SampleOptions::new(folder.path().join("lake")) };
    bencher.counter(ItemsCount::new(customers)).bench(|| black_box(generate(&options, &mut |_| {}).expect("written")));
}
