//! The two checksums of the Blob service over a body that passes by.
//!
//! It compares and encodes; where a checksum stands in a request is up to `upload`.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use md5::{Digest, Md5};

use super::error::BlobError;
use crate::emulator::call::Call;

/// Polynomial of the storage CRC64 (CRC-64/NVME), bits reversed.
const POLYNOMIAL: u64 = 0x9A6C_9329_AC4B_C9B5;

const TABLE: [u64; 256] = table();

const fn table() -> [u64; 256] {
    let mut table = [0; 256];
    let mut value: u64 = 0;
    while value < 256 {
        let mut crc = value;
        let mut bit = 0;
        while bit < 8 {
            crc = if crc & 1 == 1 {
                (crc >> 1) ^ POLYNOMIAL
            } else {
                crc >> 1
            };
            bit += 1;
        }
        #[expect(clippy::cast_possible_truncation, reason = "value is below 256")]
        {
            table[value as usize] = crc;
        }
        value += 1;
    }
    table
}

/// MD5 and CRC64 of the bytes seen so far.
pub(super) struct Checksum {
    md5: Md5,
    crc64: u64,
    wants_crc64: bool,
}

impl Checksum {
    /// Starts over no bytes; CRC64 is computed only if `wants_crc64`.
    pub(super) fn new(wants_crc64: bool) -> Self {
        Self {
            md5: Md5::new(),
            crc64: !0,
            wants_crc64,
        }
    }

    /// Takes in `bytes`.
    pub(super) fn update(&mut self, bytes: &[u8]) {
        self.md5.update(bytes);
        if self.wants_crc64 {
            for byte in bytes {
                let [low, ..] = self.crc64.to_le_bytes();
                self.crc64 = TABLE[usize::from(low ^ byte)] ^ (self.crc64 >> 8);
            }
        }
    }

    /// MD5 (16 bytes) and CRC64 (little-endian) in Base64.
    pub(super) fn finish(self) -> (String, String) {
        (
            STANDARD.encode(self.md5.finalize()),
            STANDARD.encode((!self.crc64).to_le_bytes()),
        )
    }
}

/// The checksums that a request claims for its body, in Base64.
pub(super) struct Claims {
    pub(super) md5: Option<String>,
    pub(super) crc64: Option<String>,
}

impl Claims {
    /// Reads the checksum headers of `call`.
    ///
    /// # Errors
    /// `InvalidMd5` or `InvalidCrc64` if one is not Base64 of the right length; 400 if both are given.
    pub(super) fn read(call: &Call) -> Result<Self, BlobError> {
        let claim = |name: &str, length: usize, code: &'static str| {
            call.header(name)
                .map_or(Ok(None), |text| match STANDARD.decode(text) {
                    Ok(bytes) if bytes.len() == length => Ok(Some(text.to_owned())),
                    _ => Err(BlobError::of(code)),
                })
        };
        let claims = Self {
            md5: claim("content-md5", 16, "InvalidMd5")?,
            crc64: claim("x-ms-content-crc64", 8, "InvalidCrc64")?,
        };
        if claims.md5.is_some() && claims.crc64.is_some() {
            return Err(BlobError::header(
                "x-ms-content-crc64",
                "beside Content-MD5",
            ));
        }
        Ok(claims)
    }

    /// Compares with what was computed.
    ///
    /// # Errors
    /// `Md5Mismatch` or `Crc64Mismatch`.
    pub(super) fn check(&self, md5: &str, crc64: &str) -> Result<(), BlobError> {
        if self.md5.as_deref().is_some_and(|claimed| claimed != md5) {
            return Err(BlobError::of("Md5Mismatch"));
        }
        if self
            .crc64
            .as_deref()
            .is_some_and(|claimed| claimed != crc64)
        {
            return Err(BlobError::of("Crc64Mismatch"));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn checksums_of_the_standard_check_text_are_right() {
        let mut checksum = Checksum::new(true);
        checksum.update(b"1234");
        checksum.update(b"56789");
        let (md5, crc64) = checksum.finish();
        assert_eq!(md5, "JfnnlDI7RTiF9RgfG2JNCw==");
        assert_eq!(
            STANDARD.decode(crc64).expect("base64"),
            0xAE8B_1486_0A79_9888_u64.to_le_bytes()
        );
    }
}
