//! The ranges of the ratios in the log of the benchmarks, by processor: `ranges [PATH]`.

use std::path::PathBuf;

use apus_benches::machine;

fn main() {
    let path = std::env::args().nth(1).map_or_else(machine::path, PathBuf::from);
    let log = std::fs::read_to_string(&path)
        .unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let mut last = String::new();
    for ([processor, title, name], range) in machine::ranges(&log) {
        if processor != last {
            println!("{processor}");
        }
        let (least, most) = range.median.unwrap_or_default();
        println!("  {title:<40} {name:<34} {least:.2} to {most:.2}, {} runs", range.runs);
        last = processor;
    }
}
