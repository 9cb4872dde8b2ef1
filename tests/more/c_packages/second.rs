//! Another Rust library that is linked into the same program. It allocates, panics and catches the panic with its own copy of the standard library.

/// Returns the sum of the numbers below `count`, or -1 if there are more than 100.
#[no_mangle]
pub extern "C" fn second_sum(count: u32) -> i64 {
    std::panic::set_hook(Box::new(|_| {}));
    std::panic::catch_unwind(|| {
        let numbers: Vec<i64> = (0..i64::from(count)).collect();
        assert!(numbers.len() <= 100, "too many numbers");
        numbers.iter().sum()
    })
    .unwrap_or(-1)
}
