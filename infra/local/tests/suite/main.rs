//! The local service, from the embedded services to the program that is killed, in one program.

mod aws;
mod openapi;
mod restart;
mod serving;
