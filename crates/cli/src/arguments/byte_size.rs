//! Sizes of memory as people write them.

/// `512MiB`, `2GB`, `1.5GiB`, or plain bytes.
pub(crate) fn byte_size(text: &str) -> Result<usize, String> {
    let split = text.find(|c: char| !(c.is_ascii_digit() || c == '.')).unwrap_or(text.len());
    let (number, unit) = text.split_at(split);
    let factor: f64 = match unit.trim().to_ascii_lowercase().as_str() {
        "" | "b" => 1.0,
        "kb" => 1e3,
        "mb" => 1e6,
        "gb" => 1e9,
        "k" | "kib" => 1024.0,
        "m" | "mib" => 1024.0 * 1024.0,
        "g" | "gib" => 1024.0 * 1024.0 * 1024.0,
        other => return Err(format!("`{other}` is no unit; write e.g. 512MiB or 2GB")),
    };
    match number.parse::<f64>() {
        Ok(number) if number > 0.0 && number * factor < 9e15 => Ok((number * factor) as usize),
        _ => Err("write a size above zero, e.g. 512MiB".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read_with_their_units() {
        assert_eq!(byte_size("512MiB"), Ok(536_870_912));
        assert_eq!(byte_size("2gb"), Ok(2_000_000_000));
        assert_eq!(byte_size("1.5GiB"), Ok(1_610_612_736));
        assert!(byte_size("0").is_err());
        assert!(byte_size("5 bananas").is_err());
    }
}
