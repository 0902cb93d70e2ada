//! A template's tree -> the same tree with a guard at every place where a value could grow, and the names it takes.
//!
//! minijinja counts steps and not bytes, so that twenty doublings of a text fit into any number of steps. Here `+`, `*` and
//! `~` become filters of our own, which make nothing that is too large, and what goes into an operation that reads all of
//! a value is weighed first. Both have names that no template can write.

use super::names::Names;
use minijinja::Value;
use minijinja::machinery::Span;
use minijinja::machinery::ast::{self, BinOpKind, CallArg, Expr, Spanned, Stmt};
use std::ops::Range;

/// The filter that weighs what it is given with all that is in it, and gives it back.
pub(super) const WEIGH: &str = "{weigh}";
/// The same for what is looked at from outside.
pub(super) const WEIGH_TEXT: &str = "{weigh-text}";
/// The filters that stand for operators.
pub(super) const ADD: &str = "{+}";
/// As [`ADD`].
pub(super) const MULTIPLY: &str = "{*}";
/// As [`ADD`].
pub(super) const CONCAT: &str = "{~}";

/// The filters and tests that look at lists and tables from outside only.
const SHALLOW: [&str; 11] =
    ["boolean", "default", "defined", "first", "last", "length", "mapping", "none", "number", "sequence", "undefined"];
/// A text of this many bytes may be read at every step.
const SHORT: usize = 64;

/// Why a template is no template of ours.
pub(super) enum Refused {
    /// A slice has a step. minijinja ends the program when a step is negative and what it slices is empty, so specs have
    /// no steps; `reverse` is there for the one that people want.
    Step(Range<usize>),
}

/// Guards a whole template.
pub(super) fn template<'t>(tree: &Stmt<'t>) -> Result<(Stmt<'t>, Names), Refused> {
    let mut guard = Guard::default();
    let tree = guard.statement(tree)?;
    Ok((tree, guard.names))
}

/// Guards an expression.
pub(super) fn expression<'t>(tree: &Expr<'t>) -> Result<(Expr<'t>, Names), Refused> {
    let mut guard = Guard::default();
    let tree = guard.expression(tree)?;
    Ok((tree, guard.names))
}

#[derive(Default)]
struct Guard {
    names: Names,
}

impl Guard {
    fn statement<'t>(&mut self, statement: &Stmt<'t>) -> Result<Stmt<'t>, Refused> {
        Ok(match statement {
            Stmt::Template(node) => {
                let children = self.statements(&node.children)?;
                Stmt::Template(Spanned::new(ast::Template { children }, node.span()))
            }
            Stmt::EmitExpr(node) => emit(self.expression(&node.expr)?, node.span()),
            Stmt::EmitRaw(node) => emit(written(node.raw, node.span()), node.span()),
            Stmt::ForLoop(node) => self.for_loop(node, node.span())?,
            Stmt::IfCond(node) => {
                let expr = self.expression(&node.expr)?;
                let true_body = self.inner(&node.true_body)?;
                let false_body = self.inner(&node.false_body)?;
                Stmt::IfCond(Spanned::new(ast::IfCond { expr, true_body, false_body }, node.span()))
            }
            Stmt::WithBlock(node) => self.with_block(node, node.span())?,
            Stmt::Set(node) => {
                let expr = self.expression(&node.expr)?;
                let target = self.target(&node.target)?;
                Stmt::Set(Spanned::new(ast::Set { target, expr }, node.span()))
            }
            Stmt::SetBlock(node) => {
                let filter = node.filter.as_ref().map(|filter| self.expression(filter)).transpose()?;
                let body = self.inner(&node.body)?;
                let target = self.target(&node.target)?;
                Stmt::SetBlock(Spanned::new(ast::SetBlock { target, filter, body }, node.span()))
            }
            Stmt::AutoEscape(node) => {
                let enabled = self.expression(&node.enabled)?;
                let body = self.inner(&node.body)?;
                Stmt::AutoEscape(Spanned::new(ast::AutoEscape { enabled, body }, node.span()))
            }
            Stmt::FilterBlock(node) => {
                let filter = self.expression(&node.filter)?;
                let body = self.inner(&node.body)?;
                Stmt::FilterBlock(Spanned::new(ast::FilterBlock { filter, body }, node.span()))
            }
            Stmt::Do(node) => {
                let call = self.call(&node.call)?;
                Stmt::Do(Spanned::new(ast::Do { call: Spanned::new(call, node.call.span()) }, node.span()))
            }
        })
    }

    fn statements<'t>(&mut self, body: &[Stmt<'t>]) -> Result<Vec<Stmt<'t>>, Refused> {
        body.iter().map(|statement| self.statement(statement)).collect()
    }

    /// Statements whose own names nobody else sees.
    fn inner<'t>(&mut self, body: &[Stmt<'t>]) -> Result<Vec<Stmt<'t>>, Refused> {
        self.names.enter();
        let body = self.statements(body)?;
        self.names.leave();
        Ok(body)
    }

    fn for_loop<'t>(&mut self, node: &ast::ForLoop<'t>, span: Span) -> Result<Stmt<'t>, Refused> {
        let iter = self.expression(&node.iter)?;
        self.names.enter();
        self.names.give("loop");
        let target = self.target(&node.target)?;
        let filter_expr = node.filter_expr.as_ref().map(|filter| self.expression(filter)).transpose()?;
        let body = self.statements(&node.body)?;
        self.names.leave();
        let else_body = self.inner(&node.else_body)?;
        let recursive = node.recursive;
        let node = ast::ForLoop { target, iter, filter_expr, recursive, body, else_body };
        Ok(Stmt::ForLoop(Spanned::new(node, span)))
    }

    fn with_block<'t>(&mut self, node: &ast::WithBlock<'t>, span: Span) -> Result<Stmt<'t>, Refused> {
        self.names.enter();
        let mut assignments = Vec::new();
        for (target, value) in &node.assignments {
            let value = self.expression(value)?;
            assignments.push((self.target(target)?, value));
        }
        let body = self.statements(&node.body)?;
        self.names.leave();
        Ok(Stmt::WithBlock(Spanned::new(ast::WithBlock { assignments, body }, span)))
    }

    /// What a value is given to: a name, or several. From here on the template has them.
    fn target<'t>(&mut self, target: &Expr<'t>) -> Result<Expr<'t>, Refused> {
        match target {
            Expr::Var(node) => {
                self.names.give(node.id);
                Ok(Expr::Var(Spanned::new(ast::Var { id: node.id }, node.span())))
            }
            Expr::List(node) => {
                let items = node.items.iter().map(|item| self.target(item)).collect::<Result<_, _>>()?;
                Ok(Expr::List(Spanned::new(ast::List { items }, node.span())))
            }
            Expr::Tuple(node) => {
                let items = node.items.iter().map(|item| self.target(item)).collect::<Result<_, _>>()?;
                Ok(Expr::Tuple(Spanned::new(ast::Tuple { items }, node.span())))
            }
            other => self.expression(other),
        }
    }

    fn expression<'t>(&mut self, expression: &Expr<'t>) -> Result<Expr<'t>, Refused> {
        let span = expression.span();
        Ok(match expression {
            Expr::Var(node) => {
                self.names.take(&[node.id]);
                Expr::Var(Spanned::new(ast::Var { id: node.id }, span))
            }
            Expr::Const(node) => Expr::Const(Spanned::new(ast::Const { value: node.value.clone() }, span)),
            Expr::GetAttr(node) => {
                let expr = self.owner(expression, &node.expr)?;
                Expr::GetAttr(Spanned::new(ast::GetAttr { expr, name: node.name }, span))
            }
            Expr::GetItem(node) => {
                let expr = self.expression(&node.expr)?;
                let subscript_expr = self.weighed(&node.subscript_expr)?;
                Expr::GetItem(Spanned::new(ast::GetItem { expr, subscript_expr }, span))
            }
            Expr::Slice(node) => self.slice(node, span)?,
            Expr::UnaryOp(node) => {
                let is_not = matches!(node.op, ast::UnaryOpKind::Not);
                let op = if is_not { ast::UnaryOpKind::Not } else { ast::UnaryOpKind::Neg };
                Expr::UnaryOp(Spanned::new(ast::UnaryOp { op, expr: self.expression(&node.expr)? }, span))
            }
            Expr::BinOp(node) => self.operator(node, span)?,
            Expr::Compare(node) => {
                let expr = self.weighed(&node.expr)?;
                let compared =
                    node.ops.iter().map(|op| Ok(ast::CompareOp { op: op.op, expr: self.weighed(&op.expr)? }));
                let ops = compared.collect::<Result<_, _>>()?;
                Expr::Compare(Spanned::new(ast::Compare { expr, ops }, span))
            }
            Expr::IfExpr(node) => {
                let test_expr = self.expression(&node.test_expr)?;
                let true_expr = self.expression(&node.true_expr)?;
                let false_expr = node.false_expr.as_ref().map(|other| self.expression(other)).transpose()?;
                Expr::IfExpr(Spanned::new(ast::IfExpr { test_expr, true_expr, false_expr }, span))
            }
            Expr::Filter(node) => {
                let expr = node.expr.as_ref().map(|expr| self.weighed_for(node.name, expr)).transpose()?;
                let args = self.arguments(&node.args)?;
                Expr::Filter(Spanned::new(ast::Filter { name: node.name, expr, args }, span))
            }
            Expr::Test(node) => {
                let expr = self.weighed_for(node.name, &node.expr)?;
                let args = self.arguments(&node.args)?;
                Expr::Test(Spanned::new(ast::Test { name: node.name, expr, args }, span))
            }
            Expr::Call(node) => Expr::Call(Spanned::new(self.call(node)?, span)),
            Expr::List(_) | Expr::Tuple(_) | Expr::Map(_) => self.collection(expression)?,
        })
    }

    fn collection<'t>(&mut self, expression: &Expr<'t>) -> Result<Expr<'t>, Refused> {
        let span = expression.span();
        Ok(match expression {
            Expr::List(node) => {
                let items = self.all_weighed(&node.items)?;
                Expr::List(Spanned::new(ast::List { items }, span))
            }
            Expr::Tuple(node) => {
                let items = self.all_weighed(&node.items)?;
                Expr::Tuple(Spanned::new(ast::Tuple { items }, span))
            }
            Expr::Map(node) => {
                let keys = self.all_weighed(&node.keys)?;
                let values = self.all_weighed(&node.values)?;
                Expr::Map(Spanned::new(ast::Map { keys, values }, span))
            }
            other => self.expression(other)?,
        })
    }

    /// What an attribute is asked of. Of a name that the template does not give itself, the whole of `params.a.b` is
    /// what it takes.
    fn owner<'t>(&mut self, whole: &Expr<'t>, expr: &Expr<'t>) -> Result<Expr<'t>, Refused> {
        match path(whole) {
            Some(path) => {
                self.names.take(&path);
                Ok(copied(expr))
            }
            None => self.expression(expr),
        }
    }

    fn slice<'t>(&mut self, node: &ast::Slice<'t>, span: Span) -> Result<Expr<'t>, Refused> {
        if node.step.is_some() {
            return Err(Refused::Step(span.start_offset as usize..span.end_offset as usize));
        }
        let expr = self.weighed(&node.expr)?;
        let start = node.start.as_ref().map(|start| self.expression(start)).transpose()?;
        let stop = node.stop.as_ref().map(|stop| self.expression(stop)).transpose()?;
        Ok(Expr::Slice(Spanned::new(ast::Slice { expr, start, stop, step: None }, span)))
    }

    fn operator<'t>(&mut self, node: &ast::BinOp<'t>, span: Span) -> Result<Expr<'t>, Refused> {
        let ours = match node.op {
            BinOpKind::Add => ADD,
            BinOpKind::Mul => MULTIPLY,
            BinOpKind::Concat => CONCAT,
            BinOpKind::ScAnd | BinOpKind::ScOr => {
                let (left, right) = (self.expression(&node.left)?, self.expression(&node.right)?);
                return Ok(Expr::BinOp(Spanned::new(ast::BinOp { op: node.op, left, right }, span)));
            }
            op => {
                let (left, right) = (self.weighed(&node.left)?, self.weighed(&node.right)?);
                return Ok(Expr::BinOp(Spanned::new(ast::BinOp { op, left, right }, span)));
            }
        };
        let (left, right) = (self.expression(&node.left)?, self.expression(&node.right)?);
        Ok(filter(ours, left, vec![CallArg::Pos(right)], span))
    }

    fn call<'t>(&mut self, node: &ast::Call<'t>) -> Result<ast::Call<'t>, Refused> {
        let args = self.arguments(&node.args)?;
        Ok(ast::Call { expr: self.expression(&node.expr)?, args })
    }

    fn arguments<'t>(&mut self, args: &[CallArg<'t>]) -> Result<Vec<CallArg<'t>>, Refused> {
        let guarded = args.iter().map(|arg| {
            Ok(match arg {
                CallArg::Pos(expr) => CallArg::Pos(self.weighed(expr)?),
                CallArg::Kwarg(name, expr) => CallArg::Kwarg(name, self.weighed(expr)?),
                CallArg::PosSplat(expr) => CallArg::PosSplat(self.weighed(expr)?),
                CallArg::KwargSplat(expr) => CallArg::KwargSplat(self.weighed(expr)?),
            })
        });
        guarded.collect()
    }

    fn all_weighed<'t>(&mut self, items: &[Expr<'t>]) -> Result<Vec<Expr<'t>>, Refused> {
        items.iter().map(|item| self.weighed(item)).collect()
    }

    /// What a filter or a test is applied to.
    fn weighed_for<'t>(&mut self, name: &str, expression: &Expr<'t>) -> Result<Expr<'t>, Refused> {
        self.weighed_by(if SHALLOW.contains(&name) { WEIGH_TEXT } else { WEIGH }, expression)
    }

    fn weighed<'t>(&mut self, expression: &Expr<'t>) -> Result<Expr<'t>, Refused> {
        self.weighed_by(WEIGH, expression)
    }

    fn weighed_by<'t>(&mut self, scales: &'static str, expression: &Expr<'t>) -> Result<Expr<'t>, Refused> {
        let guarded = self.expression(expression)?;
        let span = expression.span();
        Ok(if is_light(expression) { guarded } else { filter(scales, guarded, Vec::new(), span) })
    }
}

/// Whether it is a constant that any step may read.
fn is_light(expression: &Expr<'_>) -> bool {
    match expression {
        Expr::Const(node) => node.value.as_str().is_none_or(|text| text.len() <= SHORT),
        _ => false,
    }
}

fn filter<'t>(name: &'t str, expr: Expr<'t>, args: Vec<CallArg<'t>>, span: Span) -> Expr<'t> {
    Expr::Filter(Spanned::new(ast::Filter { name, expr: Some(expr), args }, span))
}

fn emit(expr: Expr<'_>, span: Span) -> Stmt<'_> {
    Stmt::EmitExpr(Spanned::new(ast::EmitExpr { expr }, span))
}

/// What the author wrote outside of the braces. It is put out as a value, so that all text a template makes is counted at
/// one place, and is marked as safe: it may hold a path.
fn written<'t>(raw: &'t str, span: Span) -> Expr<'t> {
    Expr::Const(Spanned::new(ast::Const { value: Value::from_safe_string(raw.to_owned()) }, span))
}

/// `a.b.c` as its parts, when that is all it is.
fn path<'t>(expression: &Expr<'t>) -> Option<Vec<&'t str>> {
    match expression {
        Expr::Var(node) => Some(vec![node.id]),
        Expr::GetAttr(node) => {
            let mut parts = path(&node.expr)?;
            parts.push(node.name);
            Some(parts)
        }
        _ => None,
    }
}

/// A [`path`] as it is.
fn copied<'t>(expression: &Expr<'t>) -> Expr<'t> {
    match expression {
        Expr::GetAttr(node) => {
            let attr = ast::GetAttr { expr: copied(&node.expr), name: node.name };
            Expr::GetAttr(Spanned::new(attr, node.span()))
        }
        Expr::Var(node) => Expr::Var(Spanned::new(ast::Var { id: node.id }, node.span())),
        _ => unreachable!("a path is made of names"),
    }
}
