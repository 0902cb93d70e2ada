//! Names the library as the driver is named: whoever asks the loader for `libcuda.so` afterwards gets this one.

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rustc-cdylib-link-arg=-Wl,-soname,libcuda.so");
}
