//! Puts edits into Rust sources, each behind a switch, so that one build has them all: mutants of
//! `cargo mutants --list --json`, and texts that are replaced inside of a function.
//!
//! ```sh
//! apus-mutants ROOT < edits.json      # see `../switched.py`
//! ```
//!
//! Prints the files below ROOT with the edits, and the numbers of those that can't be switched. An
//! edit is between `/*[n*/` and `/*n]*/` and takes effect where `crate::mutant(n)` is true.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::ops::Range;
use std::{fs, io};

use proc_macro2::Span;
use serde_json::{Value, json};
use syn::spanned::Spanned;
use syn::visit::{self, Visit};

fn main() {
    let root = std::env::args().nth(1).expect("apus-mutants ROOT < edits.json");
    let edits: Vec<Value> = serde_json::from_reader(io::stdin()).expect("edits are a JSON array");
    let mut files: BTreeMap<String, Vec<Edit>> = BTreeMap::new();
    for value in &edits {
        files.entry(text(&value["file"])).or_default().push(Edit::from(value));
    }
    let (mut texts, mut left_out) = (BTreeMap::new(), Vec::new());
    for (file, edits) in files {
        let source =
            fs::read_to_string(format!("{root}/{file}")).expect("the file of an edit is there");
        let parsed = syn::parse_file(&source).expect("the file of an edit is Rust");
        let mut sites =
            Sites { source: &source, edits, replaced: BTreeMap::new(), constant: false };
        sites.visit_file(&parsed);
        left_out.extend(sites.edits.iter().filter(|edit| edit.left_out).map(|edit| edit.number));
        texts.insert(file, sites.rewritten(0..source.len(), true));
    }
    println!("{}", json!({ "files": texts, "left_out": left_out }));
}

struct Edit {
    number: u64,
    genre: String,
    /// Where it begins: the line from 1, the column from 0, both in characters.
    start: Option<(usize, usize)>,
    find: Option<String>,
    replacement: String,
    left_out: bool,
}

impl From<&Value> for Edit {
    fn from(value: &Value) -> Self {
        let start = &value["span"]["start"];
        let at = |name: &str| start[name].as_u64().map(|at| at as usize);
        Self {
            number: value["n"].as_u64().expect("an edit has a number"),
            genre: text(&value["genre"]),
            start: at("line").zip(at("column").map(|column| column - 1)),
            find: value["find"].as_str().map(str::to_owned),
            replacement: text(&value["replacement"]),
            left_out: true,
        }
    }
}

fn text(value: &Value) -> String {
    value.as_str().expect("a string").to_owned()
}

/// What replaces a range of a source: the texts for each mutant, before the range's own. In an empty
/// range they are inserted as they are.
type Replaced = BTreeMap<(usize, Reverse<usize>), Vec<(u64, String)>>;

struct Sites<'a> {
    source: &'a str,
    edits: Vec<Edit>,
    replaced: Replaced,
    /// Inside of what is evaluated when it is compiled.
    constant: bool,
}

impl Sites<'_> {
    /// Adds the mutants of a genre that begin at a span, as alternatives to a range.
    fn add(&mut self, genre: &str, at: Span, range: Range<usize>, make: impl Fn(&Edit) -> String) {
        let start = Some((at.start().line, at.start().column));
        for edit in self.edits.iter_mut().filter(|edit| edit.genre == genre && edit.start == start)
        {
            edit.left_out = self.constant;
            if !self.constant {
                let key = (range.start, Reverse(range.end));
                self.replaced.entry(key).or_default().push((edit.number, make(edit)));
            }
        }
    }

    /// Adds the texts that are replaced inside of a function, as a second body each.
    fn add_texts(&mut self, range: Range<usize>) {
        let body = &self.source[range.clone()];
        for edit in &mut self.edits {
            let Some(found) = edit.find.as_deref().filter(|find| body.contains(find)) else {
                continue;
            };
            edit.left_out = self.constant;
            if !self.constant {
                // A function inside of this one has it for itself.
                self.replaced.values_mut().for_each(|all| all.retain(|(n, _)| *n != edit.number));
                let text = body.replacen(found, &edit.replacement, 1);
                let key = (range.start, Reverse(range.end));
                self.replaced.entry(key).or_default().push((edit.number, text));
            }
        }
    }

    fn of(&self, tokens: &impl Spanned) -> &str {
        &self.source[tokens.span().byte_range()]
    }

    /// An operand whose operators, if it has some, still bind more than another one's.
    fn operand(&self, operand: &syn::Expr) -> String {
        match operand {
            syn::Expr::Binary(_) | syn::Expr::Cast(_) => format!("({})", self.of(operand)),
            _ => self.of(operand).to_owned(),
        }
    }

    fn function(
        &mut self,
        signature: &syn::Signature,
        block: &syn::Block,
        visit: impl FnOnce(&mut Self),
    ) {
        let outer = std::mem::replace(&mut self.constant, signature.constness.is_some());
        let inside = block.brace_token.span.open().byte_range().end;
        self.add_texts(inside..block.brace_token.span.close().byte_range().start);
        if let Some(first) = block.stmts.first() {
            self.add("FnValue", first.span(), inside..inside, |edit| {
                format!(" if crate::mutant({}) {{ return {}; }}", edit.number, edit.replacement)
            });
        }
        visit(self);
        self.constant = outer;
    }

    fn constant(&mut self, visit: impl FnOnce(&mut Self)) {
        let outer = std::mem::replace(&mut self.constant, true);
        visit(self);
        self.constant = outer;
    }

    /// A range of the source with all alternatives, those of the range itself too if `whole`.
    fn rewritten(&self, range: Range<usize>, whole: bool) -> String {
        let (mut out, mut at) = (String::new(), range.start);
        for (&(start, Reverse(end)), alternatives) in &self.replaced {
            let itself = start == range.start && end == range.end;
            if start < at || end > range.end || (itself && !whole) {
                continue;
            }
            out += &self.source[at..start];
            if start == end {
                out.extend(alternatives.iter().map(|(n, text)| format!("/*[{n}*/{text}/*{n}]*/")));
            } else {
                out.push('(');
                out.extend(alternatives.iter().map(|(n, text)| {
                    format!("/*[{n}*/if crate::mutant({n}) {{ {text} }}/*{n}]*/ else ")
                }));
                out += &format!("{{ {} }})", self.rewritten(start..end, false));
            }
            at = end;
        }
        out + &self.source[at..range.end]
    }
}

impl<'ast> Visit<'ast> for Sites<'_> {
    fn visit_item_fn(&mut self, item: &'ast syn::ItemFn) {
        self.function(&item.sig, &item.block, |sites| visit::visit_item_fn(sites, item));
    }

    fn visit_impl_item_fn(&mut self, item: &'ast syn::ImplItemFn) {
        self.function(&item.sig, &item.block, |sites| visit::visit_impl_item_fn(sites, item));
    }

    fn visit_trait_item_fn(&mut self, item: &'ast syn::TraitItemFn) {
        match &item.default {
            Some(block) => {
                self.function(&item.sig, block, |sites| visit::visit_trait_item_fn(sites, item))
            }
            None => visit::visit_trait_item_fn(self, item),
        }
    }

    fn visit_item_const(&mut self, item: &'ast syn::ItemConst) {
        self.constant(|sites| visit::visit_item_const(sites, item));
    }

    fn visit_item_static(&mut self, item: &'ast syn::ItemStatic) {
        self.constant(|sites| visit::visit_item_static(sites, item));
    }

    fn visit_impl_item_const(&mut self, item: &'ast syn::ImplItemConst) {
        self.constant(|sites| visit::visit_impl_item_const(sites, item));
    }

    fn visit_trait_item_const(&mut self, item: &'ast syn::TraitItemConst) {
        self.constant(|sites| visit::visit_trait_item_const(sites, item));
    }

    fn visit_expr_binary(&mut self, item: &'ast syn::ExprBinary) {
        // A condition with `let` is no expression that stands by itself.
        if !has_let(&item.left) && !has_let(&item.right) {
            let (left, right) = (self.operand(&item.left), self.operand(&item.right));
            let make = |edit: &Edit| format!("{left} {} {right}", edit.replacement);
            self.add("BinaryOperator", item.op.span(), item.span().byte_range(), make);
        }
        visit::visit_expr_binary(self, item);
    }

    fn visit_expr_unary(&mut self, item: &'ast syn::ExprUnary) {
        let operand = self.of(&item.expr).to_owned();
        let make = |edit: &Edit| format!("{}{operand}", edit.replacement);
        self.add("UnaryOperator", item.op.span(), item.span().byte_range(), make);
        visit::visit_expr_unary(self, item);
    }

    fn visit_arm(&mut self, item: &'ast syn::Arm) {
        match &item.guard {
            Some((_, guard)) => {
                let make = |edit: &Edit| edit.replacement.clone();
                self.add("MatchArmGuard", guard.span(), guard.span().byte_range(), make);
                self.add("MatchArm", item.span(), guard.span().byte_range(), |_| {
                    "false".to_owned()
                });
            }
            None => {
                let end = item.pat.span().byte_range().end;
                let make = |edit: &Edit| format!(" if !crate::mutant({})", edit.number);
                self.add("MatchArm", item.span(), end..end, make);
            }
        }
        visit::visit_arm(self, item);
    }

    fn visit_expr_struct(&mut self, item: &'ast syn::ExprStruct) {
        if let Some(rest) = &item.rest {
            let (path, rest) = (self.of(&item.path).to_owned(), self.of(rest).to_owned());
            for field in item.fields.iter().filter(|field| field.colon_token.is_some()) {
                let name = self.of(&field.member).to_owned();
                let make = |_: &Edit| format!("let rest: {path} = {rest}; rest.{name}");
                self.add("StructField", field.span(), field.expr.span().byte_range(), make);
            }
        }
        visit::visit_expr_struct(self, item);
    }
}

fn has_let(condition: &syn::Expr) -> bool {
    match condition {
        syn::Expr::Let(_) => true,
        syn::Expr::Binary(binary) => has_let(&binary.left) || has_let(&binary.right),
        _ => false,
    }
}
