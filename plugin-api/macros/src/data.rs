//! `#[data]`.

use proc_macro2::TokenStream;
use quote::quote;
use syn::punctuated::Punctuated;
use syn::{DeriveInput, Error, Path, Token};

pub(crate) fn expand(arguments: &TokenStream, item: TokenStream) -> syn::Result<TokenStream> {
    if !arguments.is_empty() {
        return Err(Error::new_spanned(
            arguments,
            "`#[data]` takes no arguments; put `#[serde(…)]` and `#[schemars(…)]` below it",
        ));
    }
    let Ok(input) = syn::parse2::<DeriveInput>(item.clone()) else {
        return Err(Error::new_spanned(
            item,
            "`#[data]` goes on a struct or an enum",
        ));
    };
    if let syn::Data::Union(union) = &input.data {
        return Err(Error::new_spanned(
            union.union_token,
            "`#[data]` goes on a struct or an enum, not on a union",
        ));
    }
    refuse_repeated(&input)?;
    Ok(quote! {
        #[derive(
            ::core::fmt::Debug,
            ::floe_plugin_api::serde::Serialize,
            ::floe_plugin_api::serde::Deserialize,
            ::floe_plugin_api::schemars::JsonSchema,
        )]
        #[serde(crate = "::floe_plugin_api::serde")]
        #[schemars(crate = "::floe_plugin_api::schemars")]
        #input
    })
}

/// Says so where a trait that `#[data]` derives is also derived by the vendor: the compiler would
/// only speak of conflicting implementations.
fn refuse_repeated(input: &DeriveInput) -> syn::Result<()> {
    for attribute in &input.attrs {
        if !attribute.path().is_ident("derive") {
            continue;
        }
        let derived = attribute
            .parse_args_with(Punctuated::<Path, Token![,]>::parse_terminated)
            .unwrap_or_default();
        for path in derived {
            let Some(last) = path.segments.last() else {
                continue;
            };
            let name = last.ident.to_string();
            if ["Debug", "Serialize", "Deserialize", "JsonSchema"].contains(&name.as_str()) {
                let message = format!("`#[data]` already derives `{name}`; leave it out here");
                return Err(Error::new_spanned(path, message));
            }
        }
    }
    Ok(())
}
