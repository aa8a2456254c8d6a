//! Lists the files of the library of key journeys, so that the program carries them.
//!
//! They stay where a reader expects them, in `sql/` at the top of the repository.

use std::path::{Path, PathBuf};
use std::{env, fs, io};

/// Folders of the library, below `sql/`.
const FOLDERS: [&str; 3] = ["facts", "marts", "tests"];
/// Its files beside these folders.
const FILES: [&str; 3] = ["library.yaml", "dictionary.yaml", "semantics.yaml"];

fn main() -> io::Result<()> {
    // Asked for when it runs: a target folder may be shared by clones, and this program with it.
    let own = env::var_os("CARGO_MANIFEST_DIR").unwrap_or_default();
    let sql = Path::new(&own).join("../../sql").canonicalize()?;
    let mut paths: Vec<PathBuf> = FILES.iter().map(PathBuf::from).collect();
    for folder in FOLDERS {
        // A folder's own time changes when a file comes or goes.
        println!("cargo::rerun-if-changed={}", sql.join(folder).display());
        for entry in fs::read_dir(sql.join(folder))? {
            paths.push(Path::new(folder).join(entry?.file_name()));
        }
    }
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "sql" || extension == "yaml"));
    paths.sort();
    let mut list =
        String::from("/// Paths in the library, and the texts there.\nconst LIBRARY_FILES: &[(&str, &str)] = &[\n");
    for path in paths {
        // Forward slashes, as the library's YAML writes them.
        let name = path.iter().filter_map(|part| part.to_str()).collect::<Vec<_>>().join("/");
        list.push_str(&format!("    ({name:?}, include_str!({:?})),\n", sql.join(&path)));
    }
    list.push_str("];\n");
    let out = env::var_os("OUT_DIR").ok_or_else(|| io::Error::other("cargo sets OUT_DIR"))?;
    fs::write(Path::new(&out).join("library_files.rs"), list)
}
