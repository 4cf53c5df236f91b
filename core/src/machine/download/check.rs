//! What the bytes that came are checked against.

use crate::checksum::{
    Algorithm, Composite, Declared, Digests, Type, Value, Verdict, Why, combine,
};
use crate::error::Error;
use crate::s3::ObjectHead;

/// The checksum of an object that is worth computing: of the algorithms that this build has, in
/// the order of [`Algorithm::BY_PREFERENCE`], the first over the full object, else the first
/// composite.
pub(super) fn declared(head: &ObjectHead) -> Option<Declared> {
    let known = Algorithm::BY_PREFERENCE.into_iter().filter(|one| one.is_available());
    let declared = known.filter_map(|algorithm| {
        head.checksums.iter().find(|declared| declared.algorithm() == algorithm).copied()
    });
    let full = |declared: &Declared| declared.checksum_type() == Type::FullObject;
    declared.clone().find(full).or_else(|| declared.clone().next())
}

/// The checksums of what was read, from those of its ranges in their order.
#[derive(Debug, Default)]
pub(super) struct Tally {
    length: u64,
    values: Vec<Value>,
    parts: Option<Parts>,
}

impl Tally {
    /// Also recomputes this checksum over parts of these lengths. No range may cross the end of a
    /// part.
    pub(super) fn with_parts(composite: Composite, sizes: Vec<u64>) -> Self {
        let parts = Parts { composite, sizes, open: None, values: Vec::new() };
        Self { parts: Some(parts), ..Self::default() }
    }

    /// Bytes so far.
    pub(super) fn length(&self) -> u64 {
        self.length
    }

    /// The values over all of it: of one range any, of several those that combine.
    pub(super) fn digests(&self) -> Digests {
        self.values.iter().copied().collect()
    }

    /// The next range.
    pub(super) fn add(&mut self, digests: &Digests, length: u64) -> Result<(), Error> {
        if let Some(parts) = &mut self.parts {
            parts.add(digests, length)?;
        }
        if self.length == 0 {
            self.values = digests.iter().copied().collect();
        } else {
            let mut joined = Vec::with_capacity(self.values.len());
            for value in self.values.iter().filter(|value| value.algorithm().combines()) {
                if let Some(next) = digests.value(value.algorithm()) {
                    joined.push(combine([(*value, self.length), (*next, length)])?);
                }
            }
            self.values = joined;
        }
        self.length += length;
        Ok(())
    }

    /// Compares with what the server declared of the object, of which all was read.
    pub(super) fn verdict(&self, head: &ObjectHead) -> Result<Verdict, Error> {
        let value = match declared(head) {
            None => {
                return Ok(Verdict::NotValidated(match head.checksums.first() {
                    Some(one) => Why::Unsupported(one.algorithm()),
                    None => Why::Absent,
                }));
            }
            Some(Declared::Composite(_)) => {
                return match &self.parts {
                    Some(parts) => parts.verdict(),
                    None => Ok(Verdict::NotValidated(Why::Composite)),
                };
            }
            // Said to be of parts, of which the value does not tell the number.
            Some(Declared::FullObject(_)) if head.checksum_type == Some(Type::Composite) => {
                return Ok(Verdict::NotValidated(Why::Composite));
            }
            Some(Declared::FullObject(value)) => value,
        };
        match self.values.iter().find(|computed| computed.algorithm() == value.algorithm()) {
            Some(computed) if *computed == value => Ok(Verdict::Validated(value.algorithm())),
            Some(computed) => Err(differs(value.algorithm(), computed, &value)),
            None => Ok(Verdict::NotValidated(Why::NotAsked)),
        }
    }
}

/// The digests of the parts that a composite is made over.
#[derive(Debug)]
struct Parts {
    composite: Composite,
    sizes: Vec<u64>,
    /// Of the part that was begun.
    open: Option<(Value, u64)>,
    values: Vec<Value>,
}

impl Parts {
    fn add(&mut self, digests: &Digests, length: u64) -> Result<(), Error> {
        let Some(value) = digests.value(self.composite.algorithm()) else { return Ok(()) };
        let (value, filled) = match self.open.take() {
            None => (*value, length),
            Some((begun, filled)) => {
                (combine([(begun, filled), (*value, length)])?, filled.saturating_add(length))
            }
        };
        if self.sizes.get(self.values.len()).is_some_and(|size| *size == filled) {
            self.values.push(value);
        } else {
            self.open = Some((value, filled));
        }
        Ok(())
    }

    fn verdict(&self) -> Result<Verdict, Error> {
        let algorithm = self.composite.algorithm();
        if self.open.is_some() || self.values.len() != self.sizes.len() {
            return Ok(Verdict::NotValidated(Why::Composite));
        }
        let computed = Composite::of(self.values.iter().copied())?;
        if computed == self.composite {
            return Ok(Verdict::Validated(algorithm));
        }
        Err(differs(algorithm, &computed, &self.composite))
    }
}

fn differs(
    algorithm: Algorithm,
    computed: &dyn std::fmt::Display,
    declared: &dyn std::fmt::Display,
) -> Error {
    Error::integrity(format!(
        "the {algorithm} of the bytes is {computed} where the server has {declared}"
    ))
}
