//! Functions that FFmpeg looks for and does not call on its way to a decoded picture: each refuses, and says its name.
#![expect(unsafe_code, reason = "these are C functions, and are found by their names")]

use crate::driver::{Code, code, driver};

macro_rules! unknown {
    ($($name:ident)*) => { $(
        #[unsafe(no_mangle)]
        extern "C" fn $name() -> Code {
            driver().refuse(code::NOT_SUPPORTED, concat!(stringify!($name), " is not known here"))
        }
    )* };
}

unknown! {
    cuDeviceComputeCapability cuCtxCreate_v2 cuCtxSetLimit cuCtxDestroy_v2 cuCtxGetDevice
    cuMemAllocPitch_v2 cuMemAllocManaged cuMemsetD8Async cuMemcpy cuMemcpyAsync cuMemcpy2D_v2 cuMemcpy2DAsync_v2
    cuMemcpyDtoH_v2 cuMemcpyDtoD_v2 cuMemcpyDtoDAsync_v2
    cuDevicePrimaryCtxRelease cuDevicePrimaryCtxSetFlags cuDevicePrimaryCtxGetState cuDevicePrimaryCtxReset
    cuStreamQuery cuStreamAddCallback cuEventQuery
    cuLinkCreate cuLinkAddData cuLinkComplete cuLinkDestroy cuModuleGetGlobal
    cuTexObjectCreate cuTexObjectDestroy cuArray3DCreate_v2 cuArrayDestroy
    cuGLGetDevices_v2 cuGraphicsGLRegisterImage cuGraphicsUnregisterResource cuGraphicsMapResources
    cuGraphicsUnmapResources cuGraphicsSubResourceGetMappedArray cuGraphicsResourceGetMappedPointer_v2
}

unknown! {
    cuvidGetDecodeStatus cuvidReconfigureDecoder cuvidCtxLockCreate cuvidCtxLockDestroy cuvidCtxLock cuvidCtxUnlock
    cuvidCreateVideoSource cuvidCreateVideoSourceW cuvidDestroyVideoSource cuvidSetVideoSourceState
    cuvidGetVideoSourceState cuvidGetSourceVideoFormat cuvidGetSourceAudioFormat
    cuvidCreateVideoParser cuvidParseVideoData cuvidDestroyVideoParser
}
