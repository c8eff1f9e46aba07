//! What an application wants of an endpoint, said to the machine around it.

/// The commands of the endpoint in the field `endpoint`, as methods of the machine around it, whose role is `$role`.
///
/// Such a machine lends its endpoint only to be looked at. What is fed to an endpoint and polled from it has the same names as what
/// is fed to the machine and polled from it, and does less: through `DerefMut` it would be called by mistake, and
/// nothing would tell.
macro_rules! commands {
    ($role:ty) => {
        /// Calls the peer: see [`Endpoint::request`](crate::endpoint::Endpoint::request).
        ///
        /// # Errors
        ///
        /// See [`SendError`](crate::error::SendError); nothing has changed then.
        pub fn request<Q: $crate::method::Request<Sender = $role>>(
            &mut self,
            params: &Q,
            options: $crate::config::CallOptions,
            now: $crate::time::Instant,
        ) -> Result<$crate::method::Ticket<Q>, $crate::error::SendError> {
            self.endpoint.request(params, options, now)
        }

        /// Calls any method with any parameters: see [`Endpoint::request_raw`](crate::endpoint::Endpoint::request_raw).
        ///
        /// # Errors
        ///
        /// See [`SendError`](crate::error::SendError); nothing has changed then.
        pub fn request_raw(
            &mut self,
            method: &str,
            params: Option<&$crate::json::RawJson>,
            options: $crate::config::CallOptions,
            now: $crate::time::Instant,
        ) -> Result<$crate::id::RequestId, $crate::error::SendError> {
            self.endpoint.request_raw(method, params, options, now)
        }

        /// Announces something: see [`Endpoint::notify`](crate::endpoint::Endpoint::notify).
        ///
        /// # Errors
        ///
        /// See [`SendError`](crate::error::SendError); nothing has changed then.
        pub fn notify<N: $crate::method::Notification<Sender = $role>>(
            &mut self,
            params: &N,
        ) -> Result<(), $crate::error::SendError> {
            self.endpoint.notify(params)
        }

        /// Announces something for a request of the peer: see [`Endpoint::notify_for`](crate::endpoint::Endpoint::notify_for).
        ///
        /// # Errors
        ///
        /// See [`SendError`](crate::error::SendError); nothing has changed then.
        pub fn notify_for<N: $crate::method::Notification<Sender = $role>>(
            &mut self,
            request: &$crate::id::RequestId,
            params: &N,
        ) -> Result<(), $crate::error::SendError> {
            self.endpoint.notify_for(request, params)
        }

        /// Gives a call up: see [`Endpoint::cancel`](crate::endpoint::Endpoint::cancel).
        pub fn cancel(
            &mut self,
            id: &$crate::id::RequestId,
            reason: Option<&str>,
            now: $crate::time::Instant,
        ) {
            self.endpoint.cancel(id, reason, now);
        }

        /// Answers a request of the peer: see [`Endpoint::respond`](crate::endpoint::Endpoint::respond).
        ///
        /// # Errors
        ///
        /// See [`Endpoint::respond`](crate::endpoint::Endpoint::respond).
        pub fn respond<T: serde::Serialize + ?Sized>(
            &mut self,
            id: &$crate::id::RequestId,
            result: &T,
            now: $crate::time::Instant,
        ) -> Result<(), $crate::error::SendError> {
            self.endpoint.respond(id, result, now)
        }

        /// Answers a request of the peer with an error: see [`Endpoint::fail`](crate::endpoint::Endpoint::fail).
        ///
        /// # Errors
        ///
        /// See [`Endpoint::respond`](crate::endpoint::Endpoint::respond).
        pub fn fail(
            &mut self,
            id: &$crate::id::RequestId,
            error: &$crate::error::ErrorObject,
            now: $crate::time::Instant,
        ) -> Result<(), $crate::error::SendError> {
            self.endpoint.fail(id, error, now)
        }

        /// Lets go of a request of the peer: see [`Endpoint::abandon`](crate::endpoint::Endpoint::abandon).
        pub fn abandon(&mut self, id: &$crate::id::RequestId, now: $crate::time::Instant) {
            self.endpoint.abandon(id, now);
        }

        /// Reports how far a request of the peer has come: see [`Endpoint::report`](crate::endpoint::Endpoint::report).
        ///
        /// # Errors
        ///
        /// See [`ReportError`](crate::progress::ReportError): the report was refused here and never sent.
        pub fn report(
            &mut self,
            id: &$crate::id::RequestId,
            progress: $crate::types::Progress,
            weight: $crate::progress::Weight,
            now: $crate::time::Instant,
        ) -> Result<(), $crate::progress::ReportError> {
            self.endpoint.report(id, progress, weight, now)
        }

        /// Ends the conversation: see [`Endpoint::close`](crate::endpoint::Endpoint::close).
        pub fn close(&mut self, now: $crate::time::Instant) {
            self.endpoint.close(now);
        }
    };
}

pub(crate) use commands;
