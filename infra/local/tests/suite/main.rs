//! The local service, from the embedded services to the program that is killed, in one program.

mod elsewhere;
mod openapi;
mod readme;
mod restart;
mod serving;
