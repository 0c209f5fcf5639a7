//! `#[data]`.

use proc_macro2::TokenStream;
use quote::quote;
use syn::{DeriveInput, Error};

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
