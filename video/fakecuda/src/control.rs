//! What tests ask of the driver besides CUDA: commands in words -> an answer in words.

use crate::driver::{Driver, driver};
use crate::ptx::Order;

/// One function for all commands, so that the library has no second interface to keep in step. `answer` is filled as far
/// as it reaches; what comes back is the length of the whole.
///
/// # Safety
/// `command` and `answer` must point at as many bytes as stated.
#[unsafe(no_mangle)]
#[expect(unsafe_code, reason = "the one door for tests is a C function, as all others")]
unsafe extern "C" fn pipe_fakecuda(command: *const u8, length: usize, answer: *mut u8, room: usize) -> usize {
    // SAFETY: as promised by the caller.
    let command = unsafe { std::slice::from_raw_parts(command, length) };
    let text = obey(&mut driver(), &String::from_utf8_lossy(command)).unwrap_or_else(|problem| format!("? {problem}"));
    // SAFETY: as promised by the caller.
    unsafe { std::ptr::copy_nonoverlapping(text.as_ptr(), answer, text.len().min(room)) };
    text.len()
}

/// Does what a command says: `capacity 1000`, `fault cuLaunchKernel 2 719`.
pub(crate) fn obey(driver: &mut Driver, command: &str) -> Result<String, String> {
    let words: Vec<&str> = command.split_whitespace().collect();
    let number = |text: &str| text.parse::<u64>().map_err(|_| format!("{text} is no number"));
    let mut answer = String::new();
    match words.as_slice() {
        [] => {}
        ["reset"] => *driver = Driver::new(),
        ["devices", count] => driver.settings.devices = number(count)? as i32,
        ["version", version] => driver.settings.version = number(version)? as i32,
        ["compute", major, minor] => driver.settings.compute = (number(major)? as i32, number(minor)? as i32),
        ["capacity", bytes] => driver.memory.capacity = number(bytes)? as usize,
        ["reverse"] => driver.settings.order = Order::Reverse,
        ["skip-waits"] => driver.settings.skips_waits = true,
        ["skip-waits", "decoders"] => driver.settings.skips_decoders = true,
        ["shorten", bytes] => driver.settings.shorter_by = number(bytes)? as usize,
        ["shorten", bytes, nth] => {
            driver.settings.shorter_by = number(bytes)? as usize;
            driver.settings.shortened = Some(driver.faults.count("cuMemAlloc_v2") + number(nth)?);
        }
        ["patch", at, word] => driver.settings.patches.push((number(at)? as usize, number(word)? as u32)),
        ["eager"] => driver.settings.is_eager = true,
        ["fault", function, nth, code] => driver.faults.plan(function, number(nth)?, false, number(code)? as u32),
        ["fault-for-good", function, nth, code] => {
            driver.faults.plan(function, number(nth)?, true, number(code)? as u32);
        }
        ["decodes", "nothing"] => driver.settings.decodes = false,
        ["film", path] => {
            let film = std::fs::read(path).map_err(|e| format!("{path}: {e}"))?;
            driver.decoding.learn(&film).ok_or_else(|| format!("{path} ends too early"))?;
        }
        ["calls"] => answer = driver.faults.table(),
        ["leaks"] => answer = driver.leaks(),
        ["used"] => answer = driver.memory.used.to_string(),
        ["forget"] => driver.told.clear(),
        ["told"] => answer.clone_from(&driver.told),
        ["work"] => answer = format!("{} {} {}", driver.work.instructions, driver.work.loads, driver.work.stores),
        _ => return Err(format!("`{command}` is no command")),
    }
    Ok(answer)
}
