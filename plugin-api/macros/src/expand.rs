//! The code that `export_plugin!` writes.

use proc_macro2::{Ident, Span, TokenStream};
use quote::{ToTokens, quote, quote_spanned};
use syn::Result;
use syn::spanned::Spanned;

use crate::declaration::Declaration;
use crate::manifest::{self, API_VERSION, PACKAGE_VARIABLES};

pub(crate) fn expand(declaration: &Declaration) -> Result<TokenStream> {
    let unwinding = manifest::json(declaration, "unwind")?;
    let aborting = manifest::json(declaration, "abort")?;
    let (major, minor) = API_VERSION;
    let plugin = &declaration.plugin;
    // Seen by the code written here alone: a vendor's function may have any of these names.
    let [operation, input, call, output, given, error] =
        ["operation", "input", "call", "output", "given", "error"]
            .map(|name| Ident::new(name, Span::mixed_site()));

    let calls = (0_u32..)
        .zip(&declaration.executors)
        .map(|(number, executor)| {
            let function = &executor.function;
            // At the function, so that one that is no executor is pointed at.
            let answer = quote_spanned! {function.span()=>
                ::floe_plugin_api::Executor::<#plugin, _>::execute(#function, self, #input, #call)
            };
            quote! {
                #number => match #answer {
                    ::floe_plugin_api::__private::Ok(#given) => {
                        ::floe_plugin_api::__private::Ok(#output.receive(#given))
                    }
                    ::floe_plugin_api::__private::Err(#error) => {
                        ::floe_plugin_api::__private::Err(#error)
                    }
                },
            }
        });
    let schemas = declaration.executors.iter().map(|executor| {
        let function = &executor.function;
        let node_type = executor.node_type.value();
        let schemas = quote_spanned! {function.span()=>
            ::floe_plugin_api::Executor::<#plugin, _>::schemas(#function)
        };
        quote!((#node_type, #schemas))
    });
    let exported = quote_spanned! {plugin.span()=>
        ::floe_plugin_api::__private::Exported for #plugin
    };
    let header = quote_spanned! {plugin.span()=>
        ::floe_plugin_api::__private::header::<#plugin>()
    };

    // A macro's own look at the environment is not seen by the compiler; these are, so that cargo
    // builds anew when a field of the Cargo.toml that is in the manifest has changed.
    let read = PACKAGE_VARIABLES.map(|variable| {
        quote! {
            const _: ::floe_plugin_api::__private::Option<&str> = ::core::option_env!(#variable);
        }
    });

    Ok(quote! {
        const _: () = {
            #(#read)*

            const _: () = assert!(
                ::floe_plugin_api::__private::api_version_is(#major, #minor),
                "floe-plugin-api and floe-plugin-api-macros are of different versions"
            );

            #[cfg(panic = "unwind")]
            const MANIFEST: &str = #unwinding;
            #[cfg(not(panic = "unwind"))]
            const MANIFEST: &str = #aborting;

            #[cfg(not(any(target_vendor = "apple", windows)))]
            #[used]
            #[unsafe(link_section = ".note.floe.plugin")]
            static NOTE: ::floe_plugin_api::__private::Note<{ MANIFEST.len() }> =
                ::floe_plugin_api::__private::note(MANIFEST);

            #[cfg(any(target_vendor = "apple", windows))]
            #[used]
            #[cfg_attr(target_vendor = "apple", unsafe(link_section = "__DATA,__floe"))]
            #[cfg_attr(windows, unsafe(link_section = ".floe"))]
            static NOTE: [u8; MANIFEST.len()] = ::floe_plugin_api::__private::bytes(MANIFEST);

            #[unsafe(export_name = "floe_plugin_root")]
            pub static HEADER: ::floe_plugin_api::__private::LibHeader = #header;

            impl #exported {
                const MANIFEST: &'static str = MANIFEST;

                #[inline]
                fn dispatch(
                    &self,
                    #operation: u32,
                    #input: &::floe_plugin_api::Value,
                    #call: &::floe_plugin_api::CallContext<'_>,
                    #output: &mut ::floe_plugin_api::Value,
                ) -> ::floe_plugin_api::__private::Option<::floe_plugin_api::Result<()>> {
                    ::floe_plugin_api::__private::Some(match #operation {
                        #(#calls)*
                        _ => return ::floe_plugin_api::__private::None,
                    })
                }

                fn describe() -> ::floe_plugin_api::__private::String {
                    let executors: ::floe_plugin_api::__private::Vec<
                        ::floe_plugin_api::__private::ExecutorSchemas,
                    > = ::floe_plugin_api::__private::vec![#(#schemas),*];
                    ::floe_plugin_api::__private::describe::<#plugin>(executors)
                }
            }
        };
    }
    .into_token_stream())
}
