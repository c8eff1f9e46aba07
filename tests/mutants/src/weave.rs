//! All mutants of a file in one text, each behind a switch: `if crate::mutant::is(17) { … }`.
//!
//! Whatever is written for a mutant alone stands between `/*<17*/` and `/*17>*/`, and all that is written for some of
//! them between `/*[17,18*/` and `/*]*/`, so that an error of the compiler tells which of them do not fit.

use std::collections::BTreeSet;
use std::ops::Range;

use proc_macro2::LineColumn;
use syn::spanned::Spanned;
use syn::visit::{self, Visit};

use crate::list::{Genre, Mutant, Place};

/// What a place becomes.
enum Form {
    /// A function that may return at once.
    Entry {
        others: Vec<(usize, String)>,
    },
    Binary {
        left: Range<usize>,
        op: String,
        right: Range<usize>,
        others: Vec<(usize, String)>,
    },
    Unary {
        operand: Range<usize>,
        op: String,
        number: usize,
    },
    /// The condition of an arm: the arm deleted, the condition always true, or never.
    Guard {
        deleted: Option<usize>,
        truth: Option<usize>,
        lie: Option<usize>,
    },
    /// An arm without a condition.
    Arm {
        number: usize,
    },
}

struct Site {
    range: Range<usize>,
    form: Form,
}

/// The new text, and the numbers of the mutants that are in it.
pub fn weave(text: &str, mutants: &[(usize, &Mutant)]) -> (String, BTreeSet<usize>) {
    let file = syn::parse_file(text).expect("Rust");
    let lines = text.split_inclusive('\n').scan(0, |at, line| {
        let start = *at;
        *at += line.len();
        Some(start)
    });
    let mut finder =
        Finder { text, lines: lines.collect(), mutants, sites: Vec::new(), woven: BTreeSet::new() };
    finder.visit_file(&file);
    let Finder { mut sites, woven, .. } = finder;
    let rank = |form: &Form| matches!(form, Form::Binary { .. } | Form::Unary { .. });
    sites.sort_by_key(|site| {
        (site.range.start, std::cmp::Reverse(site.range.end), rank(&site.form))
    });
    (render(text, 0..text.len(), &sites), woven)
}

struct Finder<'a> {
    text: &'a str,
    lines: Vec<usize>,
    mutants: &'a [(usize, &'a Mutant)],
    sites: Vec<Site>,
    woven: BTreeSet<usize>,
}

impl Finder<'_> {
    fn offset(&self, at: LineColumn) -> usize {
        let start = self.lines[at.line - 1];
        let rest = &self.text[start..];
        start + rest.char_indices().nth(at.column).map_or(rest.len(), |(at, _)| at)
    }

    fn range(&self, node: &impl Spanned) -> Range<usize> {
        let span = node.span();
        self.offset(span.start())..self.offset(span.end())
    }

    fn at(&self, node: &impl Spanned, genre: Genre) -> Vec<(usize, String)> {
        let start = node.span().start();
        let place = Place { line: start.line, column: start.column + 1 };
        let of_place =
            |(_, mutant): &&(usize, &Mutant)| mutant.genre == genre && mutant.span.start == place;
        let found = self.mutants.iter().filter(of_place);
        found.map(|(number, mutant)| (*number, mutant.replacement.clone())).collect()
    }

    fn add(&mut self, range: Range<usize>, form: Form) {
        self.woven.extend(form.numbers());
        self.sites.push(Site { range, form });
    }

    fn entry(&mut self, signature: &syn::Signature, block: &syn::Block) {
        let output = self.range(&signature.output);
        // What is returned is one type, which an early return would have to name.
        if self.text[output].contains("impl ") {
            return;
        }
        let Some(first) = block.stmts.first() else { return };
        let others = self.at(first, Genre::FnValue);
        if !others.is_empty() {
            let at = self.range(block).start + 1;
            self.add(at..at, Form::Entry { others });
        }
    }
}

impl<'ast> Visit<'ast> for Finder<'_> {
    // What is evaluated by the compiler knows no switch.
    fn visit_item_const(&mut self, _: &'ast syn::ItemConst) {}
    fn visit_item_static(&mut self, _: &'ast syn::ItemStatic) {}
    fn visit_impl_item_const(&mut self, _: &'ast syn::ImplItemConst) {}
    fn visit_trait_item_const(&mut self, _: &'ast syn::TraitItemConst) {}
    fn visit_type(&mut self, _: &'ast syn::Type) {}
    fn visit_expr_const(&mut self, _: &'ast syn::ExprConst) {}
    fn visit_expr_repeat(&mut self, node: &'ast syn::ExprRepeat) {
        self.visit_expr(&node.expr);
    }

    fn visit_item_fn(&mut self, node: &'ast syn::ItemFn) {
        if node.sig.constness.is_none() {
            self.entry(&node.sig, &node.block);
            visit::visit_item_fn(self, node);
        }
    }

    fn visit_impl_item_fn(&mut self, node: &'ast syn::ImplItemFn) {
        if node.sig.constness.is_none() {
            self.entry(&node.sig, &node.block);
            visit::visit_impl_item_fn(self, node);
        }
    }

    fn visit_trait_item_fn(&mut self, node: &'ast syn::TraitItemFn) {
        if let Some(block) = &node.default {
            self.entry(&node.sig, block);
        }
        visit::visit_trait_item_fn(self, node);
    }

    fn visit_expr_binary(&mut self, node: &'ast syn::ExprBinary) {
        let others = self.at(&node.op, Genre::BinaryOperator);
        if !others.is_empty() && !binds(&node.left) && !binds(&node.right) {
            let (left, right) = (self.range(&node.left), self.range(&node.right));
            let op = self.text[self.range(&node.op)].to_owned();
            self.add(self.range(node), Form::Binary { left, op, right, others });
        }
        visit::visit_expr_binary(self, node);
    }

    fn visit_expr_unary(&mut self, node: &'ast syn::ExprUnary) {
        if let [(number, _)] = self.at(&node.op, Genre::UnaryOperator)[..] {
            let op = self.text[self.range(&node.op)].to_owned();
            let operand = self.range(&node.expr);
            self.add(self.range(node), Form::Unary { operand, op, number });
        }
        visit::visit_expr_unary(self, node);
    }

    fn visit_arm(&mut self, node: &'ast syn::Arm) {
        let deleted = self.at(node, Genre::MatchArm).first().map(|(number, _)| *number);
        match &node.guard {
            Some((_, guard)) => {
                let found = self.at(guard, Genre::MatchArmGuard);
                let of = |value: &str| found.iter().find(|(_, text)| text == value);
                let number = |value| of(value).map(|(number, _)| *number);
                let (truth, lie) = (number("true"), number("false"));
                if deleted.or(truth).or(lie).is_some() && !binds(guard) {
                    self.add(self.range(&**guard), Form::Guard { deleted, truth, lie });
                }
            }
            None => {
                if let Some(number) = deleted {
                    let at = self.range(&node.pat).end;
                    self.add(at..at, Form::Arm { number });
                }
            }
        }
        visit::visit_arm(self, node);
    }
}

/// Whether it is a condition that binds names, which only an `if` can hold.
fn binds(expression: &syn::Expr) -> bool {
    match expression {
        syn::Expr::Let(_) => true,
        syn::Expr::Binary(binary) => binds(&binary.left) || binds(&binary.right),
        _ => false,
    }
}

impl Form {
    fn numbers(&self) -> Vec<usize> {
        match self {
            Self::Entry { others } | Self::Binary { others, .. } => {
                others.iter().map(|(number, _)| *number).collect()
            }
            Self::Unary { number, .. } | Self::Arm { number } => vec![*number],
            Self::Guard { deleted, truth, lie } => {
                [*deleted, *truth, *lie].into_iter().flatten().collect()
            }
        }
    }
}

fn render(text: &str, range: Range<usize>, sites: &[Site]) -> String {
    let (mut out, mut at, mut rest) = (String::new(), range.start, sites);
    while let Some((site, behind)) = rest.split_first() {
        if site.range.start < at {
            panic!("places that overlap at {}", site.range.start);
        }
        out += &text[at..site.range.start];
        let inside = behind.iter().take_while(|next| next.range.start < site.range.end).count();
        let (inside, behind) = behind.split_at(inside);
        let numbers: Vec<_> = site.form.numbers().iter().map(usize::to_string).collect();
        let of_site = |range: &Range<usize>| {
            let from = inside.partition_point(|site| site.range.start < range.start);
            let to = inside.partition_point(|site| site.range.start < range.end);
            render(text, range.clone(), &inside[from..to])
        };
        out +=
            &format!("/*[{}*/{}/*]*/", numbers.join(","), site.form.render(&site.range, of_site));
        at = site.range.end;
        rest = behind;
    }
    out + &text[at..range.end]
}

/// What is written for one mutant alone.
fn own(number: usize, text: &str) -> String {
    format!("/*<{number}*/{text}/*{number}>*/")
}

impl Form {
    fn render(&self, range: &Range<usize>, of: impl Fn(&Range<usize>) -> String) -> String {
        let is = |number: &usize| format!("crate::mutant::is({number})");
        match self {
            Self::Entry { others } => {
                let mut out = String::new();
                for (number, value) in others {
                    let value = own(*number, &format!("return {value};"));
                    out += &format!(" if {} {{ {value} }}", is(number));
                }
                out
            }
            Self::Binary { left, op, right, others } => {
                let (left, right) = (of(left), of(right));
                let choose = |write: &dyn Fn(&str) -> String| {
                    let mut out = "match crate::mutant::number() {".to_owned();
                    for (number, other) in others {
                        out += &format!(" {number} => {{ {} }}", own(*number, &write(other)));
                    }
                    out + &format!(" _ => {{ {} }} }}", write(op))
                };
                match op.as_str() {
                    "&&" | "||" => {
                        let chosen = choose(&|op| format!("left {op} ({right})"));
                        format!("(match {left} {{ left => {chosen} }})")
                    }
                    "==" | "!=" | "<" | "<=" | ">" | ">=" => {
                        let chosen = choose(&|op| format!("*left {op} *right"));
                        format!("(match (&({left}), &({right})) {{ (left, right) => {chosen} }})")
                    }
                    op if op.ends_with('=') => choose(&|op| format!("{left} {op} {right}")),
                    _ => {
                        let chosen = choose(&|op| format!("left {op} right"));
                        format!("(match ({left}, {right}) {{ (left, right) => {chosen} }})")
                    }
                }
            }
            Self::Unary { operand, op, number } => {
                let (operand, without) = (of(operand), own(*number, "value"));
                let is = is(number);
                format!(
                    "(match {operand} {{ value => if {is} {{ {without} }} else {{ {op}value }} }})"
                )
            }
            Self::Guard { deleted, truth, lie } => {
                let never = deleted.iter().chain(lie).map(is).collect::<Vec<_>>().join(" || ");
                let never = if never.is_empty() { "false".to_owned() } else { never };
                let always = truth.as_ref().map_or("false".to_owned(), is);
                format!("(!({never}) && ({always} || ({})))", of(range))
            }
            Self::Arm { number } => format!(" if !{}", is(number)),
        }
    }
}
