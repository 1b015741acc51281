//! What both of our filesystems need of FUSE: the method with fifteen arguments, of which two are of interest here.

/// `setattr` of a filesystem: the file, and its new length if that changes. Times and modes are of no interest.
macro_rules! set_attributes {
    (|$this:ident, $file:ident, $length:ident, $reply:ident| $body:block) => {
        fn setattr(
            &$this,
            _: &fuser::Request,
            $file: fuser::INodeNo,
            _: Option<u32>,
            _: Option<u32>,
            _: Option<u32>,
            $length: Option<u64>,
            _: Option<fuser::TimeOrNow>,
            _: Option<fuser::TimeOrNow>,
            _: Option<std::time::SystemTime>,
            _: Option<fuser::FileHandle>,
            _: Option<std::time::SystemTime>,
            _: Option<std::time::SystemTime>,
            _: Option<std::time::SystemTime>,
            _: Option<fuser::BsdFileFlags>,
            $reply: fuser::ReplyAttr,
        ) $body
    };
}
pub(crate) use set_attributes;
