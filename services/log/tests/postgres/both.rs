//! One suite, two databases. A program of tests has a `Bench` at its root, which is made over either.

/// Makes of each scenario a test on each database.
macro_rules! on_both_databases {
    ($($module:ident :: $scenario:ident,)*) => {
        mod on_sqlite {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $scenario() {
                crate::$module::$scenario(crate::Bench::sqlite()).await;
            })*
        }

        mod on_postgres {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $scenario() {
                crate::$module::$scenario(crate::Bench::postgres()).await;
            })*
        }
    };
}
