//! Whether a message is what it says it is, before it is taken apart.
//!
//! pgwire believes the lengths and counts inside of messages and panics where they lie, so they are followed here
//! first.

/// A cancel request's code in the place of a protocol version.
const CANCEL: u32 = 80_877_102;
/// Secret keys of a cancel request have so many bytes at most.
const LONGEST_KEY: usize = 256;

/// How many bytes the message has that begins in a buffer, as far as it says so yet; the kind's byte is counted.
pub(super) fn announced(buffer: &[u8], first: bool) -> Option<usize> {
    let start = usize::from(!first);
    let length = buffer.get(start..start + 4)?.try_into().map(u32::from_be_bytes).ok()?;
    Some(start + usize::try_from(length).unwrap_or(usize::MAX - 1))
}

/// Follows a whole message to its end. `first` is the startup, which has no kind; `initial` is the first answer to the
/// question for a password.
pub(super) fn is_sound(message: &[u8], first: bool, initial: bool) -> bool {
    let Some(length) = announced(message, first).filter(|length| *length == message.len()) else { return false };
    let header = if first { 4 } else { 5 };
    if length < header {
        return false;
    }
    let mut body = Body(&message[header..]);
    if first {
        return startup(&mut body).is_some();
    }
    let end = match message[0] {
        b'Q' => body.text().map(|_| ()),
        b'P' => parse(&mut body),
        b'B' => bind(&mut body),
        b'D' | b'C' => body.take(1).filter(|target| matches!(target[0], b'S' | b'P')).and_then(|_| body.text()),
        b'E' => body.text().and_then(|()| body.take(4)).map(|_| ()),
        b'H' | b'S' | b'X' => Some(()),
        b'p' if initial => body.text().and_then(|()| body.value()),
        b'p' => return true,
        // Others are refused by their kind.
        _ => return true,
    };
    end.is_some() && body.0.is_empty()
}

struct Body<'a>(&'a [u8]);

impl<'a> Body<'a> {
    fn take(&mut self, bytes: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(bytes)?;
        self.0 = rest;
        Some(taken)
    }

    /// A text that ends with a zero.
    fn text(&mut self) -> Option<()> {
        let end = self.0.iter().position(|byte| *byte == 0)?;
        self.take(end + 1).map(|_| ())
    }

    fn count(&mut self) -> Option<usize> {
        self.take(2)?.try_into().map(u16::from_be_bytes).map(usize::from).ok()
    }

    /// A length and so many bytes; minus one for none.
    fn value(&mut self) -> Option<()> {
        let length = self.take(4)?.try_into().map(i32::from_be_bytes).ok()?;
        match usize::try_from(length) {
            Ok(length) => self.take(length).map(|_| ()),
            Err(_) => (length == -1).then_some(()),
        }
    }
}

fn startup(body: &mut Body<'_>) -> Option<()> {
    let version = body.take(4)?.try_into().map(u32::from_be_bytes).ok()?;
    if version == CANCEL {
        body.take(4)?;
        return (4..=LONGEST_KEY).contains(&body.0.len()).then_some(());
    }
    // Names and values, and a zero.
    while body.0.first()? != &0 {
        body.text()?;
        body.text()?;
    }
    (body.0 == [0]).then_some(())
}

fn parse(body: &mut Body<'_>) -> Option<()> {
    body.text()?;
    body.text()?;
    let types = body.count()?;
    body.take(4 * types).map(|_| ())
}

fn bind(body: &mut Body<'_>) -> Option<()> {
    body.text()?;
    body.text()?;
    let formats = body.count()?;
    body.take(2 * formats)?;
    for _ in 0..body.count()? {
        body.value()?;
    }
    let formats = body.count()?;
    body.take(2 * formats).map(|_| ())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(kind: u8, body: &[u8]) -> Vec<u8> {
        let length = u32::try_from(body.len() + 4).unwrap().to_be_bytes();
        [&[kind], length.as_slice(), body].concat()
    }

    #[test]
    fn a_message_is_judged_by_what_it_says_of_itself() {
        assert_eq!(announced(b"", true), None);
        assert_eq!(announced(b"Q\x00\x00", false), None);
        assert_eq!(announced(b"Q\x7f\xff\xff\xff", false), Some(0x8000_0000));
        assert_eq!(announced(b"\x00\x00\x00\x08\x04\xd2\x16\x2f", true), Some(8));
    }

    #[test]
    fn good_messages_are_sound_and_every_shorter_or_longer_one_is_not() {
        let good: [(u8, &[u8]); 8] = [
            (b'Q', b"SELECT 1\0"),
            (b'P', b"s\0SELECT $1\0\0\x01\0\0\0\x19"),
            (b'B', b"p\0s\0\0\x01\0\x01\0\x02\0\0\0\x02ab\xff\xff\xff\xff\0\x01\0\0"),
            (b'D', b"Ss\0"),
            (b'C', b"P\0"),
            (b'E', b"p\0\0\0\0\0"),
            (b'S', b""),
            (b'p', b"SCRAM-SHA-256\0\0\0\0\x03abc"),
        ];
        for (kind, body) in good {
            assert!(is_sound(&message(kind, body), false, true), "{}", kind as char);
            for length in 0..body.len() {
                assert!(!is_sound(&message(kind, &body[..length]), false, true), "{} cut to {length}", kind as char);
            }
            assert!(!is_sound(&message(kind, &[body, b"x"].concat()), false, true), "{} with more", kind as char);
        }
        let startup = |body: &[u8]| {
            let length = u32::try_from(body.len() + 4).unwrap().to_be_bytes();
            is_sound(&[length.as_slice(), body].concat(), true, false)
        };
        assert!(startup(b"\0\x03\0\0user\0ann\0\0") && startup(b"\0\x03\0\0\0"));
        assert!(startup(b"\x04\xd2\x16\x2e\0\0\0\x01\0\0\0\x02"));
        for bad in [
            &b""[..],
            b"\0\x03",
            b"\0\x03\0\0",
            b"\0\x03\0\0user\0\0",
            b"\0\x03\0\0user\0ann\0",
            b"\x04\xd2\x16\x2e\0\0",
        ] {
            assert!(!startup(bad), "{bad:?}");
        }
        assert!(!is_sound(b"Q\0\0\0\0", false, false) && !is_sound(b"\0\0\0\x03", true, false));
    }
}
