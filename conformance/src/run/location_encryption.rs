//! `location-encryption`: `encrypt` with given random bytes, and `decrypt`.
//!
//! Where glance reads what it never writes, `glance` has its result, which is not compared.

use apus_core::Secret;
use apus_core::location::LocationCipher;

use super::compare::Check;
use super::value::Fields;

pub(super) fn run(mut input: Fields, mut expect: Fields, check: &mut Check) -> Result<(), String> {
    let key: String = input.required("key")?;
    let cipher = LocationCipher::new(&Secret::new(key)).map_err(|error| error.to_string())?;
    if let Some(url) = input.optional::<String>("url")? {
        let random: String = input.required("random")?;
        let stored: String = expect.required("stored")?;
        let random = (0..random.len() / 2)
            .filter_map(|at| u8::from_str_radix(random.get(at * 2..at * 2 + 2)?, 16).ok())
            .collect::<Vec<u8>>();
        let random = random.try_into().map_err(|_| "random: expected 32 bytes".to_owned())?;
        check.same("stored", &stored, &cipher.encrypt(&url, random));
    } else {
        let stored: String = input.required("stored")?;
        let url: Option<String> = expect.nullable("url")?.flatten();
        expect.optional::<String>("glance")?;
        let found = cipher.decrypt(&stored).map(|url| url.expose().to_owned());
        if found != url {
            check.differs("url", format!("{url:?}"), format!("{found:?}"));
        }
    }
    input.end()?;
    expect.end()
}
