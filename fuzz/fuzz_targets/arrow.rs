#![no_main]

use libfuzzer_sys::fuzz_target;

// The Arrow reader's own panics are expected and caught; the fuzzer's hook would end the process
// at them. Any other panic still ends it, once it has left the target.
fuzz_target!(
    init: {
        let report = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            let expected = |file: &str| file.contains("/arrow-");
            if !panic.location().is_some_and(|place| expected(place.file())) {
                report(panic);
            }
        }));
    },
    |data: &[u8]| kvs_zoo_fuzz::arrow(data)
);
